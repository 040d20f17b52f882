"""A page to try exported models on: `python -m apps.demo --models exports`.

It asks what `export` wrote and nothing else: no run folder, no code of a task.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.suite import errors, process
from apps.suite.commands import command, command_line
from apps.suite.serving import versions

_LONGEST_GOODBYE_SECONDS = 2  # for what a browser still waits for when the page ends


@dataclass(frozen=True)
class Options:
    """Show a local page with a tab for each exported task: write, speak, upload, and see."""

    models: Path = Path("exports")
    """Folder of exports: for each task a folder of versions, of which the newest is shown."""
    server: str = ""
    """Ask this model server, HOST:PORT (gRPC) or http://HOST:PORT (REST); "" = load them here."""
    host: str = "127.0.0.1"
    """Address of the page; another one than this lets other machines see it."""
    port: int = 7860
    """Port of the page; 0 = a free one."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port must lie from 0 to 65535, is {self.port}")


@contextlib.contextmanager
def showing(options: Options) -> Iterator[str]:
    """Shows the page until the block ends, from threads of its own; gives its address.

    Raises:
        UserError: no exports, a port that is taken, an address of a server that is none, or
            packages that are missing.
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

        tf.get_logger().setLevel("ERROR")  # it calls the loader of servers deprecated
        models = stack.enter_context(asking.opened(options.models, options.server))
        port = listening.getsockname()[1]
        page = demo_page.page(models, _source(options))
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
        raise errors.UserError(f"--port: {reason}; --port 0 takes a free one") from error


@contextlib.contextmanager
def _offline(uploads: str) -> Iterator[None]:
    """What Gradio reads when it is imported: no word to anybody, uploads where they end with us."""
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


def _show(options: Options) -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with showing(options) as address:
        print(f"the page is at {address}; Ctrl-C ends", flush=True)
        stopped.wait()
    print("ended", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""

    def run() -> None:
        options = command_line.parse(
            Options, arguments, program="python -m apps.demo", description=Options.__doc__ or ""
        )
        process.quiet_tensorflow()
        _show(options)

    return command.exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
