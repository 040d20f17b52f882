"""Loads the files that training left in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

from apps.speech_to_text import config as configs
from apps.speech_to_text import model  # noqa: F401  (registers its layers, which model.keras names)
from apps.suite import errors
from apps.suite.export import trained_run
from apps.suite.runs import files, run_folder

LANGUAGE_MODEL, DECODING = "language_model.keras", "decoding.json"


class TrainedModel(NamedTuple):
    """A recogniser (`model.build`), its language model, its letters and its run's config.

    Attributes:
        language_weight: a, and
        word_bonus: b in the score of a text, ln p(text | sound) + a ln p(text) + b words.
    """

    model: keras.Model
    language_model: keras.Model
    alphabet: tuple[str, ...]
    config: configs.Config
    language_weight: float = 0.0
    word_bonus: float = 0.0


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "speech_to_text", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    alphabet = tuple(folder.data["alphabet"])
    labels = len(alphabet) + 1
    trained = trained_run.model_of(folder, labels, "letters with the blank", folder.config_file)
    language = trained_run.read(folder.path / LANGUAGE_MODEL)
    chosen = files.read_json(folder.path / DECODING)
    try:
        weights = float(chosen["language_weight"]), float(chosen["word_bonus"])
    except (KeyError, TypeError, ValueError):
        raise errors.UserError(
            f"{folder.path / DECODING}: lacks language_weight or word_bonus; train the model again"
        ) from None
    return TrainedModel(trained, language, alphabet, folder.config, *weights)
