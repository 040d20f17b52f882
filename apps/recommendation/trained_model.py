"""What the training left in a run folder, as evaluate, predict and export take it up."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

import lstm_layers  # noqa: F401  (registers its layers, which model.keras names)
from apps import errors, run_folder
from apps.recommendation import config as configs
from apps.recommendation import item_file, scoring
from apps.recommendation import model as networks  # noqa: F401  (registers what they are made of)


class TrainedModel(NamedTuple):
    """A model (`model.build`), the config of its run, and its items in the order of their codes.

    `titles` are what people call the items, None where the data don't say; `item_counts` int64
    (items,) their events in the train part.
    """

    model: keras.Model
    config: configs.Config
    item_names: tuple[str, ...]
    titles: tuple[str, ...] | None
    item_counts: np.ndarray
    scorer: scoring.Scorer

    def score_last(self, histories: np.ndarray) -> np.ndarray:
        """Scores of what comes next, float32 (rows, items); column 0 is the item of code 1.

        `histories` are codes int32 (rows, time), oldest first, 0 wherever there is no item.
        """
        return self.scorer.of_codes(histories)


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "recommendation", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """What an opened run folder holds; UserError where a file is damaged or missing."""
    items = item_file.read(folder.path)
    try:
        trained = keras.models.load_model(folder.model_file, compile=False)
        known = trained.outputs[0].shape[-1]
    except Exception as error:  # Keras raises what its zip, HDF5 and JSON readers raise
        raise errors.UserError(
            f"{folder.model_file}: cannot be read ({type(error).__name__}); train the model again"
        ) from error
    if known != len(items.names):
        raise errors.UserError(
            f"{folder.model_file}: knows {known} items, {folder.path / item_file.NAME} names "
            f"{len(items.names)}; train the model again"
        )
    scorer = scoring.Scorer(trained, folder.config.model.history_items)
    return TrainedModel(trained, folder.config, *items, scorer)
