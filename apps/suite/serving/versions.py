"""Finds the exported versions in a folder, `<task>/<number>`, as TensorFlow Serving does."""

from __future__ import annotations

from pathlib import Path

from apps.suite import errors


def newest(folder: Path) -> dict[str, int]:
    """Returns the highest version number of each model in a folder, by the model's name."""
    found: dict[str, int] = {}
    for file in folder.glob("*/*/saved_model.pb"):
        model, number = file.parts[-3], file.parts[-2]
        if number.isdecimal() and str(int(number)) == number:
            found[model] = max(found.get(model, 0), int(number))
    return found


def find(folder: Path) -> list[Path]:
    """Returns the newest version of each model, in the order of names; UserError for none."""
    found = [folder / model / str(number) for model, number in sorted(newest(folder).items())]
    if not found:
        reason = "has no MODEL/VERSION/saved_model.pb" if folder.is_dir() else "is not a folder"
        raise errors.UserError(f"--models: {folder} {reason}; export a run there first")
    return found
