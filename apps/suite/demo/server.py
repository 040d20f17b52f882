"""Serves the demo page from this process until the caller has seen enough."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import threading
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.suite import errors
from apps.suite.serving import versions

if typing.TYPE_CHECKING:
    from apps.suite.demo import page as demo_page

_LONGEST_GOODBYE_SECONDS = 2  # that open connections of a browser may take when the page ends

FindTabs = Callable[[Sequence[str]], "Mapping[str, demo_page.Tab]"]
"""Finds the tabs of some models by the models' names; a model without a tab has no entry."""


@dataclass(frozen=True)
class Options:
    """Show a local page with a tab for each exported task: write, speak, upload, and see."""

    models: Path = Path("exports")
    """Folder of exports: for each task a folder of versions, of which the newest is shown."""
    server: str = ""
    """Ask this model server: HOST:PORT (gRPC) or http://HOST:PORT (REST); "" = load them here."""
    host: str = "127.0.0.1"
    """Address of the page; any other address lets other machines see it."""
    port: int = 7860
    """Port of the page; 0 = a free port."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port must lie from 0 to 65535, is {self.port}")


@contextlib.contextmanager
def showing(options: Options, find_tabs: FindTabs) -> Iterator[str]:
    """Shows the page from threads of its own until the block ends; yields its address.

    Raises:
        UserError: there are no exports, the port is taken, the address of the model server is not
            one, or a package is not installed.
    """
    versions.find(options.models)
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(_listen(options.host, options.port))
        uploads = tempfile.mkdtemp(prefix="demo-page-")
        stack.callback(shutil.rmtree, uploads, ignore_errors=True)
        stack.enter_context(_offline(uploads))
        try:
            import uvicorn

            from apps.suite.demo import page as demo_page
        except ModuleNotFoundError as error:
            told = f"the page needs {error.name}: pip install '.[demo]'"
            raise errors.UserError(told) from error
        import tensorflow as tf

        from apps.suite.export import asking

        tf.get_logger().setLevel("ERROR")  # TensorFlow calls the loader of servers deprecated
        models = stack.enter_context(asking.exports(options.models, options.server))
        port = listening.getsockname()[1]
        tabs = find_tabs([model.name for model in models])
        page = demo_page.page(models, tabs, _source(options))
        app = demo_page.application(page, options.host, port)
        config = uvicorn.Config(
            app, log_config=None, log_level="critical", access_log=False,
            timeout_graceful_shutdown=_LONGEST_GOODBYE_SECONDS,
        )  # fmt: skip
        server = uvicorn.Server(config)
        answering = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        answering.start()
        stack.callback(answering.join)
        stack.callback(lambda: setattr(server, "should_exit", True))
        yield f"http://{options.host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        reason = f"nothing can listen at {host}:{port}: {error.strerror}"
        raise errors.UserError(f"--port: {reason}; --port 0 takes a free port") from error


@contextlib.contextmanager
def _offline(uploads: str) -> Iterator[None]:
    """Sets what Gradio reads on import: it calls nobody, and keeps uploads in our folder."""
    wanted = {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": uploads,
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _source(options: Options) -> str:
    if options.server:
        where = f"asked at the server {options.server}: what you enter goes there and nowhere else."
    else:
        where = "loaded on this machine: what you enter stays on it."
    return f"Models from {options.models}, {where}"
