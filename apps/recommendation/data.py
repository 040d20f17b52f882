"""Loads a log, divided and coded, and makes the batches of a training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.recommendation import batches as example_batches
from apps.recommendation import config as configs
from apps.recommendation import division
from apps.recommendation import log as own_data
from apps.recommendation.histories import Histories, Log, Queries
from apps.suite.data import named_sets

DEFAULT = "grocery_histories"
# Of millions of events the test part alone has hundreds of thousands, and a session-kNN answers
# some hundred a second. So many leave a standard error of a fifth of a percentage point at most.
MOST_TEST_QUERIES = 50_000


@dataclass(frozen=True)
class Dataset:
    """The data that a run learns from and is measured by.

    name, licence, source: of the data.
    fingerprint: SHA-256 of the coded parts.
    split: a sentence on the division of the log.
    notes: further decisions made in reading it, a sentence each.
    understood: lines on how the log was read and divided.
    item_names: the items of the train part, most events first; the item at place i has code i + 1,
        and code 0 is padding, or an item that train lacks.
    titles: of the items, in the same order; None if the data have none.
    item_counts: int64 [items], events of each in the train part.
    train, validation, test: see `histories`; test has at most `MOST_TEST_QUERIES`, drawn at random
        from more, as `notes` then says.
    counts: of events, histories, users, items, and of those missing in train, for the report: see
        `division.code_parts`.
    """

    name: str
    licence: str
    source: str
    fingerprint: str
    split: str
    notes: tuple[str, ...]
    item_names: tuple[str, ...]
    titles: tuple[str, ...] | None
    item_counts: np.ndarray
    train: Histories
    validation: Queries
    test: Queries
    counts: dict[str, int]
    understood: tuple[str, ...] = ()


def load(config: configs.Config) -> Dataset:
    """Reads `config.data`, makes histories of it, divides and codes them.

    `config.data` is a user's own file (`log.read`) or the name of a TFDS set
    (`log.read_set`); a path that exists comes first. Rows with the same user, item and time are
    one event. Histories are made by `division.histories_of`, the parts by `division.divide`, codes
    and queries by `division.code_parts`.

    Raises:
        UserError: nothing of that name, or data that cannot be learned: the message names the
            file, line or column.
    """
    name = config.data or DEFAULT
    path = named_sets.own_path(name)
    log = own_data.read(path, config.columns, config.sessions) if path else own_data.read_set(name)
    interactions = division.histories_of(log, config.sessions)
    split = division.divide(interactions, config.split, log.source)
    parts = division.code_parts(interactions, split.parts, config.split, log.source)
    test, notes = parts.test.sample(MOST_TEST_QUERIES, config.seed), log.notes
    if len(test) < len(parts.test):
        notes += (f"of {len(parts.test):,} test queries {len(test):,} are asked, drawn at random",)
    return Dataset(
        name=log.name,
        licence=log.licence,
        source=log.source,
        fingerprint=parts.fingerprint,
        split=split.sentence,
        notes=notes,
        item_names=parts.item_names,
        titles=parts.titles,
        item_counts=parts.item_counts,
        train=parts.train,
        validation=parts.validation,
        test=test,
        counts=parts.counts,
        understood=(*log.notes, *_told(log, parts.counts), split.sentence),
    )


def _told(log: Log, counts: dict[str, int]) -> list[str]:
    """Returns lines on the times and the sizes of a log."""
    lines = []
    if log.times is not None and len(log.times):
        first, last = (division.moment(end) for end in (log.times.min(), log.times.max()))
        lines.append(f"times: {first} to {last}")
    repeats = counts["duplicate_rows"]
    lines.append(
        f"events: {counts['events']:,} of {counts['users']:,} users and {counts['items']:,} items "
        f"in {counts['histories']:,} histories"
        + (f"; {repeats:,} repeated rows left out" if repeats else "")
    )
    parts = ("train", "validation", "test")
    lines.append("parts: " + ", ".join(f"{part} {counts[f'{part}_events']:,}" for part in parts))
    if counts["test_cold_targets"] == counts["test_targets"]:
        lines.append("no right item of the test part is in the train part: every method scores 0")
    return lines


def item_table(vocabulary: str | Path) -> tf.lookup.StaticHashTable:
    """Builds a table of codes from a file of item names, one a line, as in `Dataset.item_names`."""
    lines = tf.lookup.TextFileInitializer(
        str(vocabulary),
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    return tf.lookup.StaticHashTable(lines, default_value=-1)


def preprocess(names: tf.Tensor, table: tf.lookup.StaticHashTable) -> tf.Tensor:
    """Returns codes int32 [b, time] of item names string [b, time], in pure TensorFlow.

    Names that the table lacks, "" included, are dropped: the others move together to the row's
    beginning, in their order, with zeros after them.
    """
    codes = tf.cast(table.lookup(names), tf.int32) + 1
    order = tf.argsort(tf.cast(codes == 0, tf.int32), axis=1, stable=True)
    return tf.gather(codes, order, axis=1, batch_dims=1)


def unknown(names: tf.Tensor, table: tf.lookup.StaticHashTable) -> tf.Tensor:
    """Counts the dropped names other than "" of each row, string [b, time]: int32 [b]."""
    dropped = (table.lookup(names) < 0) & (names != "")
    return tf.reduce_sum(tf.cast(dropped, tf.int32), axis=1)


def batches(dataset: Dataset, config: configs.Config, first_step: int = 0) -> tf.data.Dataset:
    """Returns an endless stream of (inputs of the model, targets), as `training.batches` says.

    See `batches.endless` (padded) and `batches.endless_sessions` (session_parallel). A
    batch is a function of the seed and its step alone.
    """
    if config.training.batches == "padded":
        return example_batches.endless(dataset.train, config, first_step)
    return example_batches.endless_sessions(dataset.train, config, first_step)
