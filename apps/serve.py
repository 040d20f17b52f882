"""A development server of exports: `python -m apps.serve --models exports`.

It answers as TensorFlow Serving does, over REST and gRPC, so that a machine without Docker can try
a model, and clients can be tested. It is no substitute for the real one: no batching, no GPU
placement, no TLS.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from apps.suite import errors, process
from apps.suite.commands import command, command_line

if typing.TYPE_CHECKING:
    from apps.suite.serving.models import ServedModels


@dataclass(frozen=True)
class Options:
    """Serve the newest version of each model in a folder over REST and gRPC, for development."""

    models: Path = Path("exports")
    """Folder of models, each a folder of versions; new versions are picked up as they appear."""
    host: str = "127.0.0.1"
    """Address to listen at; another one than this lets other machines ask."""
    rest_port: int = 8501
    """Port of REST; 0 = a free one."""
    grpc_port: int = 8500
    """Port of gRPC; 0 = a free one."""
    poll_seconds: float = 1.0
    """How often the folder is looked at."""
    requests_at_once: int = 4
    """Requests that are worked on at the same time."""
    requests_waiting: int = 64
    """Requests that may wait for that; further ones are refused."""
    largest_request_bytes: int = 64 * 1024 * 1024
    """Larger requests are refused."""

    def __post_init__(self) -> None:
        for field in ("requests_at_once", "largest_request_bytes"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1, is {getattr(self, field)}")
        if self.requests_waiting < 0:
            raise ValueError(f"requests_waiting must be at least 0, is {self.requests_waiting}")
        if self.poll_seconds <= 0:
            raise ValueError(f"poll_seconds must be above 0, is {self.poll_seconds}")


class Serving(NamedTuple):
    """A server that answers."""

    models: ServedModels
    rest_port: int
    grpc_port: int


@contextlib.contextmanager
def serving(options: Options) -> Iterator[Serving]:
    """Serves from threads of its own until the block ends; then what is being asked is answered.

    Raises:
        UserError: no folder, a port that is taken, or packages that are missing.
    """
    if not options.models.is_dir():
        raise errors.UserError(f"--models: {options.models} is no folder; export a run there first")
    try:
        import uvicorn

        from apps.suite.serving import grpc_service, rest_service
    except ModuleNotFoundError as error:
        told = f"the server needs {error.name}: pip install '.[serving]'"
        raise errors.UserError(told) from error
    import tensorflow as tf

    from apps.suite.serving.admission import Admission
    from apps.suite.serving.models import ServedModels

    tf.get_logger().setLevel("ERROR")  # it calls the loader of servers deprecated
    listening = _listen(options.host, options.rest_port)
    models = ServedModels(options.models)
    admission = Admission(options.requests_at_once, options.requests_waiting)
    try:
        address = f"{options.host}:{options.grpc_port}"
        grpc_server, grpc_port = grpc_service.server(
            models, admission, address, options.largest_request_bytes
        )
    except RuntimeError as error:
        listening.close()
        raise errors.UserError(f"--grpc_port: nothing can listen at {address}") from error
    app = rest_service.application(models, admission, options.largest_request_bytes)
    # Its own log_config would have Python's logging close all handlers, absl's with their streams.
    config = uvicorn.Config(app, log_config=None, log_level="error", access_log=False)
    rest = uvicorn.Server(config)
    ended = threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(models.close)
        _tell(models)
        watch = threading.Thread(target=_watch, args=(models, options.poll_seconds, ended))
        ask = threading.Thread(target=rest.run, kwargs={"sockets": [listening]})
        watch.start()
        stack.callback(watch.join)
        stack.callback(ended.set)
        ask.start()
        stack.callback(ask.join)
        stack.callback(lambda: setattr(rest, "should_exit", True))
        grpc_server.start()
        stack.callback(lambda: grpc_server.stop(grace=10).wait())
        yield Serving(models, listening.getsockname()[1], grpc_port)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        told = f"--rest_port: nothing can listen at {host}:{port}: {error.strerror}"
        raise errors.UserError(told) from error


def _watch(models: ServedModels, poll_seconds: float, ended: threading.Event) -> None:
    while not ended.wait(poll_seconds):
        _tell(models)


def _tell(models: ServedModels) -> None:
    for line in models.look():
        print(line, flush=True)


def _serve(options: Options) -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with serving(options) as served:
        if not served.models.names():
            print(f"no model in {options.models} yet: waiting for one", flush=True)
        print(f"REST at http://{options.host}:{served.rest_port}/v1/models/NAME", flush=True)
        print(f"gRPC at {options.host}:{served.grpc_port}; Ctrl-C ends", flush=True)
        stopped.wait()
    print("ended", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""

    def run() -> None:
        options = command_line.parse(
            Options, arguments, program="python -m apps.serve", description=Options.__doc__ or ""
        )
        process.quiet_tensorflow()
        _serve(options)

    return command.exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
