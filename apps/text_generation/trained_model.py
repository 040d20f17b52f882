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
from apps.text_generation import mixture as mixtures


class TrainedModel(NamedTuple):
    """A network with its tokenizer, the config of its run, and the n-grams that it is mixed with.

    Attributes:
        streaming: the network alone, as `model.build_streaming` returns it.
    """

    streaming: keras.Model
    tokenizer: tokenizers.Tokenizer
    config: configs.Config
    mixture: mixtures.Mixture | None = None

    def answering(self) -> keras.Model:
        """Returns the model that is measured, asked and exported: with n-grams, if any."""
        if self.mixture is None:
            return self.streaming
        return mixtures.mixed(self.streaming, self.mixture)


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "text_generation", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config], with_ngrams: bool = True) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing.

    Args:
        folder: of the run.
        with_ngrams: False leaves n-grams unread, as if the folder had none.
    """
    tokenizer = tokenizers.load(folder.path / "tokenizer")
    streaming = trained_run.model_of(
        folder, tokenizer.vocabulary_size, "tokens", folder.path / "tokenizer"
    )
    mixture = mixtures.load(folder.path, tokenizer.vocabulary_size) if with_ngrams else None
    return TrainedModel(streaming, tokenizer, folder.config, mixture)
