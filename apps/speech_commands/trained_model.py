"""Loads the files that training left in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

from apps.speech_commands import config as configs
from apps.speech_commands import model, stream_evaluation  # noqa: F401  (model registers its layers)
from apps.suite.export import trained_run
from apps.suite.runs import run_folder


class TrainedModel(NamedTuple):
    """A model (`model.build`), the names of its classes, and the config of its run.

    `thresholds` are those of a stream by word; none for a model that answers clips alone, and
    until the run is evaluated.
    """

    model: keras.Model
    label_names: tuple[str, ...]
    config: configs.Config
    thresholds: dict[str, float]


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "speech_commands", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    label_names = tuple(folder.data["label_names"])
    trained = trained_run.model_of(folder, len(label_names), "labels", folder.config_file)
    has_thresholds = (folder.path / stream_evaluation.THRESHOLDS_FILE).is_file()
    chosen = stream_evaluation.read_thresholds(folder.path) if has_thresholds else {}
    return TrainedModel(trained, label_names, folder.config, chosen)
