"""Loads the files that training left in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

from apps.suite.data import text_examples
from apps.suite.export import trained_run
from apps.suite.networks import encoder_decoder
from apps.suite.runs import run_folder
from apps.suite.texts import subwords
from apps.summarization import config as configs

VOCABULARY = "pieces"


class TrainedModel(NamedTuple):
    """A network (`model.build`), its pieces, the config of its run, and a test text or ""."""

    model: keras.Model
    vocabulary: subwords.Subwords
    config: configs.Config
    example: str = ""


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "summarization", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    vocabulary = subwords.load(folder.path / VOCABULARY)
    network = trained_run.model_of(
        folder, vocabulary.size, "pieces", folder.path / VOCABULARY, encoder_decoder.LOGITS
    )
    return TrainedModel(network, vocabulary, folder.config, text_examples.kept(folder.path))
