"""Writes a run's network as an ONNX file: `python -m apps.export_onnx --run FOLDER`.

The file holds the network only. The code that turns text, sound or tables into numbers, and numbers
into labels, stays with the SavedModel that a task's own export writes. The README of each task says
what goes in and comes out. The files lie apart from the exports, because a server's folder of
versions may hold nothing else.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.suite import errors, process
from apps.suite.commands import command, command_line
from apps.suite.runs import files


@dataclass(frozen=True)
class Options:
    """Write the network of a finished run as ONNX, checked against Keras in ONNX Runtime.

    Text, sound and tables have to be turned into numbers outside, as the task's README says. If
    ONNX has no counterpart of an operation in the network, nothing is written; the status is 2.
    """

    run: Path
    """Folder of a finished run, of any task."""
    to: Path = Path("exports_onnx")
    """Folder of ONNX files; this run's file is <task>/<number>.onnx in it."""


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the next `destination/task/number.onnx`, and returns its path.

    Raises:
        UserError: no finished run, or as `onnx_file.write`.
    """
    from apps.suite.export import onnx_file

    task = task_of(run_folder)
    network = importlib.import_module(f"apps.{task}.export").onnx_network(run_folder)
    folder = destination / task
    numbers = [int(file.stem) for file in folder.glob("*.onnx") if file.stem.isdecimal()]
    file = folder / f"{1 + max(numbers, default=0)}.onnx"
    onnx_file.write(network, file)
    return file


def task_of(run_folder: Path) -> str:
    """Returns the task whose run a folder holds; UserError if it is not a run of a known task."""
    file = run_folder / "config.json"
    if not file.is_file():
        raise errors.UserError(f"--run {run_folder}: no such run folder, or it does not hold a run")
    task = files.read_json(file).get("task")
    known = sorted(each.parent.name for each in Path(__file__).parent.glob("*/export.py"))
    if task not in known:
        raise errors.UserError(f"{file}: task {task!r} is not one of {', '.join(known)}")
    return str(task)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""

    def run() -> None:
        options = command_line.parse(
            Options,
            arguments,
            program="python -m apps.export_onnx",
            description=Options.__doc__ or "",
        )
        process.quiet_tensorflow()
        file = export(options.run, options.to)
        print(f"written to {file}; ONNX Runtime answers with it as Keras does")

    return command.exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
