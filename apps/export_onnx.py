"""Writes a run's network as an ONNX file: `python -m apps.export_onnx --run FOLDER`.

The network alone: what makes numbers of text, sound or tables, and labels of numbers, is no part of
it, and stays with the SavedModel that a task's own export writes. The README of each task says what
goes in and comes out. Files lie apart from the exports, since a server's folder of versions holds
nothing else.
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

    Text, sound and tables have to be made numbers outside, as the task's README says. Where ONNX
    has no counterpart of something in the network, nothing is written and the status is 2.
    """

    run: Path
    """Folder of a finished run, of any task."""
    to: Path = Path("exports_onnx")
    """Folder of the files; this one goes to <task>/<number>.onnx in it."""


def export(run_folder: Path, destination: Path) -> Path:
    """Writes the next `destination/task/number.onnx`, and returns it.

    Raises:
        UserError: no finished run, or what `onnx_file.write` raises.
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
    """The task whose run a folder holds; UserError if it holds none of a known task."""
    file = run_folder / "config.json"
    if not file.is_file():
        raise errors.UserError(f"--run {run_folder}: no such run folder, or it holds no run")
    task = files.read_json(file).get("task")
    known = sorted(each.parent.name for each in Path(__file__).parent.glob("*/export.py"))
    if task not in known:
        raise errors.UserError(f"{file}: task {task!r} is none of {', '.join(known)}")
    return str(task)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""

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
