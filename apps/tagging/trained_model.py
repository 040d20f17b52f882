"""Loads the files that training left in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

from apps.suite.data import text_examples
from apps.suite.export import trained_run
from apps.suite.runs import run_folder
from apps.suite.texts import words as vocabularies
from apps.tagging import config as configs
from apps.tagging import model  # noqa: F401  (registers its layers, which model.keras names)

VOCABULARY = "vocabulary"


class TrainedModel(NamedTuple):
    """A tagger (`model.build`), its vocabulary, the names of its outputs, its run's config.

    `example` is a test sentence, or "".
    """

    model: keras.Model
    vocabulary: vocabularies.Vocabulary
    tag_names: tuple[str, ...]
    label_names: tuple[str, ...]
    scheme: str
    config: configs.Config
    example: str = ""


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "tagging", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    tags, labels = (tuple(folder.data[name]) for name in ("tag_names", "label_names"))
    vocabulary = vocabularies.load(folder.path / VOCABULARY)
    trained = trained_run.model_of(folder, len(tags), "tags", folder.config_file)
    names, example = (tags, labels, folder.data["scheme"]), text_examples.kept(folder.path)
    return TrainedModel(trained, vocabulary, *names, folder.config, example)
