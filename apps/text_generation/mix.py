"""Mixes the network of a run with n-grams: `python -m apps.text_generation.mix`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.suite.commands import command, progress
from apps.text_generation import evaluate

TASK = "text_generation"


@dataclass(frozen=True)
class Options:
    """Mix a trained network with n-grams of its training text, and measure both together."""

    run: Path = Path("runs") / TASK
    """Folder of a trained run, which answers with the mixture from then on."""


def mix(options: Options) -> None:
    """Writes the n-grams into the run folder, and evaluates it; raises what `evaluate` raises."""
    with progress.never_silent():
        evaluate.evaluate(options.run, mix=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.run_command(TASK, "mix", Options, mix, arguments)


if __name__ == "__main__":
    sys.exit(main())
