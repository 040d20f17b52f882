"""Commands that serve until they are interrupted or terminated."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from apps.suite import process
from apps.suite.commands import command, command_line, progress

Options = TypeVar("Options")


def run_command(
    name: str,
    options: type[Options],
    serving: Callable[[Options], AbstractContextManager[Sequence[str]]],
    arguments: Sequence[str] | None,
) -> int:
    """Runs `python -m apps.NAME`, and returns its exit status.

    Args:
        name: of the command.
        options: a dataclass; its docstring tells what the command does.
        serving: serves within a block, and gives the lines that are printed once it does.
        arguments: of the command; None takes those of the process.
    """

    def run() -> None:
        given = command_line.parse(
            options, arguments, program=f"python -m apps.{name}", description=options.__doc__ or ""
        )
        process.quiet_tensorflow()
        stopped = threading.Event()
        with contextlib.ExitStack() as stack:
            with progress.never_silent() if sys.stdout.isatty() else contextlib.nullcontext():
                told = stack.enter_context(serving(given))
            for number in (signal.SIGINT, signal.SIGTERM):  # until then Ctrl-C ends the loading
                signal.signal(number, lambda *_: stopped.set())
            print(*told, sep="\n", flush=True)
            stopped.wait()
        print("ended", flush=True)

    return command.exit_status(run)
