"""What the training left in a run folder, as evaluate, predict and export take it up."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

from apps import errors, run_folder
from apps.speech_commands import config as configs
from apps.speech_commands import model, thresholds  # noqa: F401  (model registers its layers)


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
    """What an opened run folder holds; UserError where a file is damaged or missing."""
    label_names = tuple(folder.data["label_names"])
    try:
        trained = keras.models.load_model(folder.model_file, compile=False)
        classes = trained.outputs[0].shape[-1]
    except Exception as error:  # Keras raises what its zip, HDF5 and JSON readers raise
        raise errors.UserError(
            f"{folder.model_file}: cannot be read ({type(error).__name__}); train the model again"
        ) from error
    if classes != len(label_names):
        raise errors.UserError(
            f"{folder.model_file}: knows {classes} labels, {folder.config_file} names "
            f"{len(label_names)}; train the model again"
        )
    has_thresholds = (folder.path / thresholds.FILE).is_file()
    chosen = thresholds.read(folder.path) if has_thresholds else {}
    return TrainedModel(trained, label_names, folder.config, chosen)
