"""Loads the files that training left in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

import lstm_layers  # noqa: F401  (registers its layers, which model.keras names)
from apps.suite.export import trained_run
from apps.suite.runs import run_folder
from apps.suite.texts import tokenizer as tokenizers
from apps.text_generation import config as configs


class TrainedModel(NamedTuple):
    """A streaming model (`model.build_streaming`), its tokenizer and the config of its run."""

    streaming: keras.Model
    tokenizer: tokenizers.Tokenizer
    config: configs.Config


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "text_generation", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    tokenizer = tokenizers.load(folder.path / "tokenizer")
    streaming = trained_run.model_of(
        folder, tokenizer.vocabulary_size, "tokens", folder.path / "tokenizer"
    )
    return TrainedModel(streaming, tokenizer, folder.config)
