"""Loads the files that training left in a run folder.

`Scorer` computes the scores that `ranking` asks for. items.json holds the items' names, titles and
counts, ordered by code.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

import lstm_layers  # noqa: F401  (registers its layers, which model.keras names)
from apps.recommendation import config as configs
from apps.recommendation import model as networks  # noqa: F401  (registers what they are made of)
from apps.recommendation.histories import Queries
from apps.suite import errors
from apps.suite.export import trained_run
from apps.suite.runs import files, run_folder


class Scorer:
    """Gives every item a score for each query: a `ranking.ScoreBlock`.

    It reads the current weights at each call, and traces the model once for all shapes.

    Args:
        network: of `model.build`, or another function of histories to scores.
        history_items: how many of the most recent items it reads.
    """

    def __init__(self, network: Callable[..., Any], history_items: int) -> None:
        self.history_items = history_items
        self._answer = tf.function(
            lambda history: network(history, training=False),
            input_signature=[tf.TensorSpec((None, None), tf.int32)],
            autograph=False,
        )

    def __call__(self, queries: Queries) -> np.ndarray:
        """Returns scores, float32 (queries, items); column 0 is the item of code 1."""
        return self.of_codes(queries.recent(slice(None), self.history_items))

    def of_codes(self, history: np.ndarray) -> np.ndarray:
        """Returns the scores for codes int32 (rows, time), 0 in place of a missing item."""
        return self._answer(tf.constant(history, tf.int32)).numpy()


ITEMS_FILE = "items.json"


class Items(NamedTuple):
    """Items by code, that of code c at place c - 1: name, title and events in the train part."""

    names: tuple[str, ...]
    titles: tuple[str, ...] | None
    counts: np.ndarray  # int64 (items,)


def write_items(folder: Path, items: Items) -> None:
    """Writes `items.json` into a run folder."""
    titles = None if items.titles is None else list(items.titles)
    values = {"names": list(items.names), "titles": titles, "counts": items.counts.tolist()}
    files.write_json(folder / ITEMS_FILE, values)


def read_items(folder: Path) -> Items:
    """Reads the file of `write_items`; UserError if it is missing or damaged."""
    file = folder / ITEMS_FILE
    values = files.read_json(file)
    try:
        names, titles, counts = values["names"], values["titles"], values["counts"]
        if not len(names) == len(counts) == len(names if titles is None else titles):
            raise ValueError("lists of different lengths")
        titles = None if titles is None else tuple(map(str, titles))
        return Items(tuple(map(str, names)), titles, np.array(counts, np.int64))
    except (KeyError, TypeError, ValueError) as error:
        raise errors.UserError(f"{file}: is damaged; train the model again") from error


class TrainedModel(NamedTuple):
    """A model, the config of its run, and its items in the order of their codes.

    `model` is of `model.build` or `model.joined`. `titles` are the names that people read, None
    where the data have none; `item_counts` int64 (items,) their events in the train part.
    """

    model: keras.Model
    config: configs.Config
    item_names: tuple[str, ...]
    titles: tuple[str, ...] | None
    item_counts: np.ndarray
    scorer: Scorer

    def score_last(self, histories: np.ndarray) -> np.ndarray:
        """Returns scores of the next item, float32 (rows, items); column 0 is the item of code 1.

        `histories` are codes int32 (rows, time), oldest first, 0 in place of a missing item.
        """
        return self.scorer.of_codes(histories)


def load(run: Path) -> TrainedModel:
    """Opens a finished run, and raises what `run_folder.open_finished` and `read` raise."""
    return read(run_folder.open_finished(run, "recommendation", configs.Config))


def read(folder: run_folder.RunFolder[configs.Config]) -> TrainedModel:
    """Reads what an opened run folder holds; UserError where a file is damaged or missing."""
    items = read_items(folder.path)
    trained = trained_run.model_of(folder, len(items.names), "items", folder.path / ITEMS_FILE)
    scorer = Scorer(trained, folder.config.model.history_items)
    return TrainedModel(trained, folder.config, *items, scorer)
