"""The finished runs that a benchmark measures, as its command line names them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser of the folder of runs, of one task among them, and of how often to measure."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("runs", type=Path, help="folder of finished runs, named like their tasks")
    parser.add_argument("--only", help="one task")
    parser.add_argument("--pairs", type=int, default=15, help="measurements of each line")
    return parser


def tasks(runs: Path, only: str | None) -> list[str]:
    """Names of the tasks with a run in the folder; ends the program where there is none."""
    found = sorted(each.parent.name for each in runs.glob("*/model.keras"))
    found = [task for task in found if only in (None, task)]
    if not found:
        sys.exit(f"{runs}: no finished run" + (f" {only}" if only else ""))
    return found
