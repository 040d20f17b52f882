"""Loads the files that training left in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

from apps.object_detection import config as configs
from apps.object_detection import model  # noqa: F401  (registers the model's layers)
from apps.suite import errors
from apps.suite.export import trained_run
from apps.suite.runs import run_folder

TASK = "object_detection"


class TrainedModel(NamedTuple):
    """A detector (`model.build`), the names of its classes, and the config of its run."""

    model: keras.Model
    label_names: tuple[str, ...]
    config: configs.Config


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, TASK, configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    names = tuple(folder.data["label_names"])
    trained = trained_run.model(folder)
    outputs = getattr(trained, "outputs", None)
    known = outputs[0].shape[-1] - 4 if outputs else 0
    if known != len(names):
        raise errors.UserError(
            f"{folder.model_file}: knows {known} labels, {folder.config_file} names {len(names)}; "
            "train the model again"
        )
    return TrainedModel(trained, names, folder.config)
