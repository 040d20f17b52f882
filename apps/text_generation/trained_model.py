"""What the training left in a run folder, as predict and export take it up."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

import lstm_layers  # noqa: F401  (registers its layers, which model.keras names)
from apps.suite import errors
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
    """What an opened run folder holds; UserError where a file is damaged or missing."""
    tokenizer = tokenizers.load(folder.path / "tokenizer")
    try:
        streaming = keras.models.load_model(folder.model_file, compile=False)
        size = streaming.outputs[0].shape[-1]
    except Exception as error:  # Keras raises what its zip, HDF5 and JSON readers raise
        raise errors.UserError(
            f"{folder.model_file}: cannot be read ({type(error).__name__}); train the model again"
        ) from error
    if size != tokenizer.vocabulary_size:
        raise errors.UserError(
            f"{folder.model_file}: knows {size} tokens, {folder.path / 'tokenizer'} "
            f"{tokenizer.vocabulary_size}; train the model again"
        )
    return TrainedModel(streaming, tokenizer, folder.config)
