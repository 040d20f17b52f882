"""Checks exports as a stock server would load them: `python -m apps.serve_check --model FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.suite import errors, process
from apps.suite.commands import command, command_line


@dataclass(frozen=True)
class Options:
    """Load an export through TensorFlow's C API and ask each signature; status 2 if one is wrong.

    The process that loads it has no Python TensorFlow. Its answers are compared with the answers
    that Keras gave at the export, also for single rows, another order of rows, and no row.
    """

    model: Path
    """A version's folder, a model's folder of versions, or a folder of such models."""


def versions(folder: Path) -> list[Path]:
    """Returns the version in `folder`, or the newest version of each model in it.

    Raises:
        UserError: there is no version.
    """
    if (folder / "saved_model.pb").is_file():
        return [folder]
    found = []
    for model in [folder, *sorted(entry for entry in folder.glob("*") if entry.is_dir())]:
        numbers = [int(entry.name) for entry in model.glob("*/") if entry.name.isdecimal()]
        if numbers:
            found.append(model / str(max(numbers)))
    if not found:
        reason = (
            "holds neither a SavedModel nor a version" if folder.is_dir() else "is not a folder"
        )
        raise errors.UserError(f"--model: {folder} {reason}; give a folder that an export wrote")
    return found


def check(folder: Path) -> None:
    """Checks the versions of a folder, and prints a table for each.

    Raises:
        UserError: no version, or the first one that a server would not answer with.
    """
    from apps.suite.export import check as saved_model_check
    from apps.suite.serving import warmup_requests

    for version in versions(folder):
        for needed in (Path("saved_model.pb"), warmup_requests.FILE):
            if not (version / needed).is_file():
                raise errors.UserError(f"{version}: {needed} is missing; export again")
        try:
            checked = saved_model_check.check(version)
        except RuntimeError as error:
            raise errors.UserError(" ".join(str(error).split())) from error
        print(f"{version}: loads and answers as Keras did")
        print(f"    {'signature':24}{'requests':>10}{'batches':>10}{'largest difference':>22}")
        for each in checked:
            difference = f"{each.largest_difference:.1e}" if each.largest_difference else "0"
            print(f"    {each.signature:24}{each.requests:>10}{each.batches:>10}{difference:>22}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""

    def run() -> None:
        options = command_line.parse(
            Options,
            arguments,
            program="python -m apps.serve_check",
            description=Options.__doc__ or "",
        )
        process.quiet_tensorflow()
        check(options.model)

    return command.exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
