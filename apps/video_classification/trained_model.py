"""Loads the files that training left in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from apps.suite.export import trained_run
from apps.suite.runs import run_folder
from apps.video_classification import config as configs
from apps.video_classification import model  # noqa: F401  (registers the model's layers)

_ROWS = 32  # clips at a time


class TrainedModel(NamedTuple):
    """A model (`model.build`), the names of its classes, and the config of its run."""

    model: keras.Model
    label_names: tuple[str, ...]
    config: configs.Config

    def probabilities(self, frames: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Returns the probabilities of clips from `data.preprocess`, each by itself.

        Args:
            frames: uint8 [clips, time, height, width, 3], zero in the padding.
            lengths: int32 [clips], real frames.

        Returns:
            Float32 [clips, classes]; with `evaluation.flip` the mean with the mirrored clips.
        """
        found = np.zeros((len(frames), len(self.label_names)), np.float32)
        for first in range(0, len(frames), _ROWS):
            rows = slice(first, first + _ROWS)
            seen = frames[rows]
            views = [seen, seen[:, :, :, ::-1]] if self.config.evaluation.flip else [seen]
            for view in views:
                logits = self.model({"frames": view, "length": lengths[rows]}, training=False)
                answers = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
                found[rows] += answers / len(views)
        return found


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "video_classification", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    label_names = tuple(folder.data["label_names"])
    trained = trained_run.model_of(folder, len(label_names), "labels", folder.config_file)
    return TrainedModel(trained, label_names, folder.config)
