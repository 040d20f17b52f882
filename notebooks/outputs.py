"""Executes notebooks and stores their outputs in the files: `python -m notebooks.outputs`.

    python -m notebooks.outputs tagging translation
    python -m notebooks.outputs --run tagging=runs/tagging translation=runs/translation

A notebook is executed in a folder of its own, `--to`/<notebook>, and its run stays there: an
interrupted training goes on by the same command, a finished one is not repeated. With a run that is
given it is executed in another folder, `--to`/<notebook>_given. What is stored is
what `stored_outputs` leaves of the outputs, and a digest of the code that made them: a test tells
when one of the two has changed without the other.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tyro

from apps.suite import errors
from apps.suite.commands import command, command_line
from apps.suite.runs import files
from notebooks import stored_outputs

FOLDER = Path(__file__).resolve().parent
MOST_BYTES = 1_000_000


@dataclasses.dataclass(frozen=True)
class Options:
    """Execute notebooks from top to bottom, and store plots, tables, sounds and text in the files.

    A notebook trains on its own preset, unless `--run` gives it a finished run.
    """

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names of notebooks; those of --run if none is given, and without it every one."""
    run: tuple[str, ...] = ()
    """Finished runs to show in place of a training: tagging=runs/tagging translation=…"""
    preset: str = ""
    """A preset in place of the notebook's own; tiny proves the path, and is not to be stored."""
    to: Path = Path("runs/notebooks")
    """Folder in which the notebooks are executed; their runs stay there."""


def names() -> list[str]:
    """Returns the names of all notebooks."""
    return sorted(file.stem for file in FOLDER.glob("*.ipynb"))


def chosen(options: Options) -> dict[str, Path | None]:
    """Returns each chosen notebook with the run folder that it is given, None without one.

    Raises errors.UserError for a name that is not a notebook and a folder without a finished run.
    """
    runs: dict[str, Path] = {}
    for each in options.run:
        name, sign, folder = each.partition("=")
        if not sign or not folder:
            raise errors.UserError(f"--run: {each!r} must be NOTEBOOK=FOLDER")
        runs[name] = Path(folder)
        if not (runs[name] / "metrics.json").is_file():
            raise errors.UserError(
                f"--run: {folder} holds no finished run; train and evaluate it, or leave it out"
            )
    wanted = list(dict.fromkeys([*options.names, *runs])) or names()
    for name in wanted:
        if name not in names():
            raise errors.UserError(f"{name}: no such notebook; there are {', '.join(names())}")
    return {name: runs.get(name) for name in wanted}


def execute(name: str, work: Path, run: Path | None, preset: str) -> Any:
    """Returns the notebook with the outputs of its cells, executed in the folder `work`.

    Raises errors.UserError, naming the cell, where one fails.
    """
    import nbclient
    import nbformat

    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    files.make_folder(work)
    shutil.rmtree(work / "exports", ignore_errors=True)  # or their number would grow
    place = work / "runs" / name
    if place.is_symlink():
        place.unlink()
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent)}
    if preset:
        environment["NOTEBOOK_PRESET"] = preset
    if run is not None:  # by a short name inside, since outputs tell it
        files.make_folder(place.parent)
        place.symlink_to(run.resolve(), target_is_directory=True)
        environment["NOTEBOOK_RUN"] = str(place.relative_to(work))
    code = [at for at, cell in enumerate(notebook.cells) if cell.cell_type == "code"]

    def tell(cell: Any, cell_index: int) -> None:
        print(f"{name}: cell {code.index(cell_index) + 1} of {len(code)}", flush=True)

    client = nbclient.NotebookClient(
        notebook,
        timeout=None,  # a training takes what it takes
        record_timing=False,
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors alone
        resources={"metadata": {"path": str(work)}},
        on_cell_execute=tell,
    )
    try:
        client.execute(env=environment)
    except nbclient.exceptions.CellExecutionError as error:
        lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()
        raise errors.UserError(f"{name}.ipynb: a cell failed: {lines[-1]}") from error
    return notebook


def store(name: str, notebook: Any, names_of_paths: Mapping[str, str]) -> Sequence[str]:
    """Writes the notebook with cleaned outputs; returns what was left out of them.

    Raises errors.UserError for a file above `MOST_BYTES`.
    """
    import nbformat

    left_out = stored_outputs.clean(notebook, names_of_paths)
    written = nbformat.writes(notebook).rstrip() + "\n"
    size = len(written.encode())
    if size > MOST_BYTES:
        at, largest = max(
            enumerate(notebook.cells), key=lambda each: len(str(each[1].get("outputs")))
        )
        raise errors.UserError(
            f"{name}.ipynb would have {size:,} bytes, more than {MOST_BYTES:,}; the largest "
            f"outputs are those of cell {at} ({largest.source.splitlines()[0]!r})"
        )
    files.write_atomically(FOLDER / f"{name}.ipynb", written)
    return left_out


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""

    def run() -> None:
        options = command_line.parse(
            Options,
            arguments,
            program="python -m notebooks.outputs",
            description=Options.__doc__ or "",
        )
        for name, folder in chosen(options).items():
            work = (options.to / (f"{name}_given" if folder else name)).resolve()
            notebook = execute(name, work, folder, options.preset)
            paths = {
                f"{work}{os.sep}": "",
                f"{FOLDER.parent}{os.sep}": "",
                **({f"{folder.resolve()}": f"runs/{name}"} if folder else {}),
                str(Path.home()): "~",
                sys.prefix: ".venv",
            }
            for line in store(name, notebook, paths):
                print(f"{name}: left out: {line}")
            size = (FOLDER / f"{name}.ipynb").stat().st_size
            print(f"{name}: stored, {size / 1000:.0f} kB", flush=True)

    return command.exit_status(run, interrupted="the same command goes on with an unfinished run")


if __name__ == "__main__":
    sys.exit(main())
