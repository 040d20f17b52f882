"""Loads the files that training left in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

from apps.sequence_classification import config as configs
from apps.sequence_classification import model  # noqa: F401  (registers the layers)
from apps.suite.export import trained_run
from apps.suite.networks import sequence_encoder
from apps.suite.runs import run_folder
from apps.suite.texts import words


class TrainedModel(NamedTuple):
    """A model (`model.build`), the names of its labels and channels, and the config of its run.

    `vocabulary` is None for a model of numbers.
    """

    model: keras.Model
    label_names: tuple[str, ...]
    channel_names: tuple[str, ...]
    config: configs.Config
    vocabulary: words.Vocabulary | None

    @property
    def stream(self) -> sequence_encoder.Stream | None:
        """Returns what reads a stream; None of a model that needs whole sequences."""
        is_text = self.vocabulary is not None
        return sequence_encoder.stream_of(self.model, self.config.model, is_text)


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "sequence_classification", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    names = tuple(folder.data["label_names"])
    channels = tuple(folder.data["channel_names"])
    trained = trained_run.model_of(folder, len(names), "labels", folder.config_file)
    vocabulary = None if channels else words.load(folder.path)
    return TrainedModel(trained, names, channels, folder.config, vocabulary)
