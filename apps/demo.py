"""Shows a page to try exported models on: `python -m apps.demo --models exports`.

Each task shows its export in the tab that `apps/<task>/demo.py` builds.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path

from apps.suite.commands import until_stopped
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


@contextlib.contextmanager
def showing(options: server.Options) -> Iterator[list[str]]:
    """Shows the page until the block ends; gives a line that tells its address."""
    with server.showing(options, tabs) as address:
        yield [f"the page is at {address} and ends with Ctrl-C"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return until_stopped.run_command("demo", server.Options, showing, arguments)


if __name__ == "__main__":
    sys.exit(main())
