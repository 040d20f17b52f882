"""Serves exports for development: `python -m apps.serve --models exports`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence

from apps.suite.commands import until_stopped
from apps.suite.serving import server


@contextlib.contextmanager
def serving(options: server.Options) -> Iterator[list[str]]:
    """Serves until the block ends; gives lines that tell where."""
    with server.serving(options) as served:
        waiting = [f"no model in {options.models} yet: waiting for one"]
        yield [
            *([] if served.models.names() else waiting),
            f"REST at http://{options.host}:{served.rest_port}/v1/models/NAME",
            f"gRPC at {options.host}:{served.grpc_port}; Ctrl-C ends",
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return until_stopped.run_command("serve", server.Options, serving, arguments)


if __name__ == "__main__":
    sys.exit(main())
