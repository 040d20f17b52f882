"""Serves exports for development: `python -m apps.serve --models exports`."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Sequence

from apps.suite import process
from apps.suite.commands import command, command_line, progress
from apps.suite.serving import server


def serve(options: server.Options) -> None:
    """Serves until the process is interrupted or terminated; prints where."""
    stopped = threading.Event()
    with contextlib.ExitStack() as stack:
        with progress.never_silent() if sys.stdout.isatty() else contextlib.nullcontext():
            served = stack.enter_context(server.serving(options))
        for number in (signal.SIGINT, signal.SIGTERM):  # until then Ctrl-C ends the loading
            signal.signal(number, lambda *_: stopped.set())
        if not served.models.names():
            print(f"no model in {options.models} yet: waiting for one", flush=True)
        print(f"REST at http://{options.host}:{served.rest_port}/v1/models/NAME", flush=True)
        print(f"gRPC at {options.host}:{served.grpc_port}; Ctrl-C ends", flush=True)
        stopped.wait()
    print("ended", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""

    def run() -> None:
        options = command_line.parse(
            server.Options,
            arguments,
            program="python -m apps.serve",
            description=server.Options.__doc__ or "",
        )
        process.quiet_tensorflow()
        serve(options)

    return command.exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
