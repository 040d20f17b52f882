"""Loads the files that training left in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

from apps.sequence_classification import config as configs
from apps.sequence_classification import model  # noqa: F401  (registers the layers)
from apps.suite.export import trained_run
from apps.suite.networks import sequence_encoder
from apps.suite.runs import files, run_folder
from apps.suite.sequence_answers import smoothing
from apps.suite.sequences import members
from apps.suite.texts import words

SMOOTHING_FILE = "smoothing.json"


class TrainedModel(NamedTuple):
    """A model (`model.build`), the names of its labels and channels, and the config of its run.

    `vocabulary` is None for a model of numbers, `smooth` for answers that are not smoothed.
    """

    model: keras.Model
    label_names: tuple[str, ...]
    channel_names: tuple[str, ...]
    config: configs.Config
    vocabulary: words.Vocabulary | None
    smooth: smoothing.Smoothing | None = None

    @property
    def stream(self) -> sequence_encoder.Stream | members.Stream | None:
        """Returns what reads a stream; None of a model that needs whole sequences."""
        whole = self.vocabulary is not None or self.smooth is not None
        return members.stream_of(self.model, self.config.model, whole)


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "sequence_classification", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    names = tuple(folder.data["label_names"])
    channels = tuple(folder.data["channel_names"])
    trained = trained_run.model_of(folder, len(names), "labels", folder.config_file)
    vocabulary = None if channels else words.load(folder.path)
    smooth = None
    if folder.config.target.smoothed:
        found = files.read_json(folder.path / SMOOTHING_FILE)
        smooth = smoothing.Smoothing(**found) if found else None
    return TrainedModel(trained, names, channels, folder.config, vocabulary, smooth)


def write(folder: run_folder.RunFolder[configs.Config], smooth: smoothing.Smoothing | None) -> None:
    """Writes what is beside the model: how labels of steps are smoothed, {} for not at all."""
    files.write_json(folder.path / SMOOTHING_FILE, {} if smooth is None else smooth._asdict())
