"""Reads the model of a trained run, and refuses one that does not fit what stands beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

import lstm_layers  # noqa: F401  (registers its layers, which model.keras names)
from apps.suite import errors
from apps.suite.runs import run_folder


def model(folder: run_folder.RunFolder[Any]) -> keras.Model:
    """Returns model.keras of an opened run, uncompiled.

    The task's own layers must be registered: its model module is imported before.

    Raises:
        UserError: the file cannot be read.
    """
    return read(folder.model_file)


def read(file: Path) -> keras.Model:
    """Returns the model of a file, uncompiled; raises UserError where it cannot be read."""
    try:
        return keras.models.load_model(file, compile=False)
    except Exception as error:  # Keras raises what its zip, HDF5 and JSON readers raise
        raise errors.UserError(
            f"{file}: cannot be read ({type(error).__name__}); train the model again"
        ) from error


def model_of(
    folder: run_folder.RunFolder[Any], named: int, kind: str, file: Path, output: int = 0
) -> keras.Model:
    """Returns the same for a model with one value for each of the names in a file.

    Args:
        folder: of the run.
        named: how many names the file holds.
        kind: of what, in the plural: labels, tokens, items.
        file: that holds the names, for the error.
        output: place of the output with these values.

    Raises:
        UserError: model.keras cannot be read, or has another number of values.
    """
    found = model(folder)
    outputs = getattr(found, "outputs", None)
    known = outputs[output].shape[-1] if outputs else 0
    if known != named:
        raise errors.UserError(
            f"{folder.model_file}: knows {known} {kind}, {file} names {named}; "
            "train the model again"
        )
    return found
