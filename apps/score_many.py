"""Scores many rows with an export: `python -m apps.score_many --model … --input … --to …`.

Rows of csv and parquet files, sound files or videos go through a signature of the export as an
Apache Beam pipeline. Options that are not listed in `--help` are Beam's own.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
from collections.abc import Sequence

from apps.suite import process
from apps.suite.commands import command, command_line
from apps.suite.scoring import bulk
from apps.suite.scoring.options import Options


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""

    def run() -> None:
        own, beam = divided(sys.argv[1:] if arguments is None else arguments)
        options = command_line.parse(
            Options,
            own,
            program="python -m apps.score_many",
            description=inspect.cleandoc(Options.__doc__ or ""),
        )
        process.quiet_tensorflow()
        bulk.score_many(options, beam)

    return command.exit_status(run, interrupted="the same command resumes the job")


def divided(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Divides words of the command line into this command's and Apache Beam's.

    An option takes the words after it along, up to the next option. Everything after `--` is
    Beam's.
    """
    names = {"--help", *(f"--{field.name}" for field in dataclasses.fields(Options))}
    own, beam = list[str](), list[str]()
    to = own
    for at, word in enumerate(arguments):
        if word == "--":
            return own, [*beam, *arguments[at + 1 :]]
        if word.startswith("--"):
            name = word.partition("=")[0].replace("-", "_").replace("__", "--", 1)
            to = own if name in names else beam
        to.append(word)
    return own, beam


if __name__ == "__main__":
    status = main()
    if status == 130:  # threads are still scoring, and would crash when Python ends before them
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
