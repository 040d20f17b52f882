"""Shows a page to try exported models on: `python -m apps.demo --models exports`.

Each task shows its export in the tab that `apps/<task>/demo.py` builds.
"""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
import threading
import typing
from collections.abc import Sequence
from pathlib import Path

from apps.suite import process
from apps.suite.commands import command, command_line, progress
from apps.suite.demo import server

if typing.TYPE_CHECKING:
    from apps.suite.demo import page


def tabs(models: Sequence[str]) -> dict[str, page.Tab]:
    """Finds the tab of each of the models that is a task of this folder, in the tasks' order."""
    from apps.suite.demo import page

    found = {}
    for file in sorted(Path(__file__).parent.glob("*/demo.py")):
        task = file.parent.name
        if task in models:
            demo = importlib.import_module(f"apps.{task}.demo")
            found[task] = page.Tab(demo.TITLE, demo.EXPLAINED, demo.tab)
    return found


def show(options: server.Options) -> None:
    """Shows the page until the process is interrupted or terminated; prints its address."""
    stopped = threading.Event()
    with contextlib.ExitStack() as stack:
        with progress.never_silent() if sys.stdout.isatty() else contextlib.nullcontext():
            address = stack.enter_context(server.showing(options, tabs))
        for number in (signal.SIGINT, signal.SIGTERM):  # until then Ctrl-C ends the loading
            signal.signal(number, lambda *_: stopped.set())
        print(f"the page is at {address} and ends with Ctrl-C", flush=True)
        stopped.wait()
    print("ended", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""

    def run() -> None:
        options = command_line.parse(
            server.Options,
            arguments,
            program="python -m apps.demo",
            description=server.Options.__doc__ or "",
        )
        process.quiet_tensorflow()
        show(options)

    return command.exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
