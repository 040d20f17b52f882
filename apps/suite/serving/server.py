"""Serves a folder of exports over REST and gRPC, as TensorFlow Serving does.

It serves on machines without Docker, and lets clients be tested. The stock server does what this
one does not: batching, placement on GPUs, TLS.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from apps.suite import errors

GRACE_SECONDS = 10
"""Time that requests under way have when the server ends; then they are broken off."""

if typing.TYPE_CHECKING:
    from apps.suite.serving.models import ServedModels


@dataclass(frozen=True)
class Options:
    """Serve the newest version of each model in a folder over REST and gRPC, for development."""

    models: Path = Path("exports")
    """Folder of models, each a folder of versions; new versions are picked up as they appear."""
    host: str = "127.0.0.1"
    """Address to listen at; any other address lets other machines ask."""
    rest_port: int = 8501
    """Port of REST; 0 = a free port."""
    grpc_port: int = 8500
    """Port of gRPC; 0 = a free port."""
    poll_seconds: float = 1.0
    """Seconds between two looks at the folder."""
    requests_at_once: int = 4
    """Requests that are answered at the same time."""
    requests_waiting: int = 64
    """Requests that may wait for their turn; further requests are refused."""
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
    """A running server: its models, and the ports at which it listens."""

    models: ServedModels
    rest_port: int
    grpc_port: int


@contextlib.contextmanager
def serving(options: Options) -> Iterator[Serving]:
    """Serves from threads of its own until the block ends.

    Requests under way are answered first, for up to `GRACE_SECONDS`, and broken off after that.

    Raises:
        UserError: the folder is missing, a port is taken, or a package is not installed.
    """
    if not options.models.is_dir():
        raise errors.UserError(
            f"--models: {options.models} is not a folder; export a run there first"
        )
    try:
        import uvicorn

        from apps.suite.serving import grpc_service, rest_service
    except ModuleNotFoundError as error:
        told = f"the server needs {error.name}: pip install '.[serving]'"
        raise errors.UserError(told) from error
    import tensorflow as tf

    from apps.suite.serving.models import ServedModels

    tf.get_logger().setLevel("ERROR")  # TensorFlow calls the loader of servers deprecated
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
    # Its own log_config would make Python's logging close all handlers and absl's streams.
    config = uvicorn.Config(
        app, log_config=None, log_level="critical", access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )  # fmt: skip
    rest = uvicorn.Server(config)
    ended = threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(models.close, GRACE_SECONDS)
        _report(models)
        watch = threading.Thread(target=_watch, args=(models, options.poll_seconds, ended))
        ask = threading.Thread(target=rest.run, kwargs={"sockets": [listening]})
        watch.start()
        stack.callback(watch.join)
        stack.callback(ended.set)
        ask.start()
        stack.callback(ask.join)
        grpc_server.start()
        stack.callback(lambda: grpc_server.stop(GRACE_SECONDS).wait())
        stack.callback(lambda: grpc_server.stop(GRACE_SECONDS))  # both refuse from now on
        stack.callback(lambda: setattr(rest, "should_exit", True))
        yield Serving(models, listening.getsockname()[1], grpc_port)


class Admission:
    """Lets `at_once` requests through, makes `waiting` more wait, and refuses the rest.

    Args:
        at_once: requests that are answered at the same time, at least 1.
        waiting: requests that may wait for their turn.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._places = threading.BoundedSemaphore(at_once)
        self._left = at_once + waiting
        self._counting = threading.Lock()

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Holds a place during the block; raises Refusal where no more requests may wait."""
        with self._counting:
            if self._left == 0:
                from apps.suite.serving.models import Refusal  # after TensorFlow, not before

                raise Refusal("RESOURCE_EXHAUSTED", "too many requests wait already; ask later")
            self._left -= 1
        try:
            with self._places:
                yield
        finally:
            with self._counting:
                self._left += 1


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        told = f"--rest_port: nothing can listen at {host}:{port}: {error.strerror}"
        raise errors.UserError(told) from error


def _watch(models: ServedModels, poll_seconds: float, ended: threading.Event) -> None:
    while not ended.wait(poll_seconds):
        try:
            _report(models)
        except Exception as error:  # a folder that changes under the look, for example
            reason = " ".join(str(error).split()) or type(error).__name__
            print(f"{models.folder}: {reason}; looking again", flush=True)


def _report(models: ServedModels) -> None:
    models.look(lambda line: print(line, flush=True))
