"""Loads the files that training left in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

from apps.suite import errors
from apps.suite.export import trained_run
from apps.suite.runs import run_folder
from apps.suite.texts import subwords
from apps.summarization import config as configs

VOCABULARY = "pieces"


class TrainedModel(NamedTuple):
    """A network (`model.build`), its pieces, and the config of its run."""

    model: keras.Model
    vocabulary: subwords.Subwords
    config: configs.Config


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "summarization", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    vocabulary = subwords.load(folder.path / VOCABULARY)
    network = trained_run.model(folder)
    known = network.get_layer("embedding").input_dim
    if known != vocabulary.size:
        raise errors.UserError(
            f"{folder.model_file}: knows {known} pieces, {folder.path / VOCABULARY} has "
            f"{vocabulary.size}; train the model again"
        )
    return TrainedModel(network, vocabulary, folder.config)
