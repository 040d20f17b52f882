"""Builds the signatures of the export, which recommend items by name, and their requests."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.recommendation import data, model, ranking, trained_model
from apps.suite.export import assets
from apps.suite.serving import limits, signatures, warmup_requests

_OPTIONS = {"k": "int32[…]", "exclude_seen": "bool[…]"}
_ANSWER = {"items": "string[b, k]", "scores": "float32[b, k]", "unknown": "int32[b]"}
SIGNATURES = {
    "serving_default": signatures.Signature({"history": "string[b, time]", **_OPTIONS}, _ANSWER),
    "candidates": signatures.Signature(
        {
            "history": "string[b, time]",
            "include": "string[b, m]",
            "exclude": "string[b, n]",
            **_OPTIONS,
        },
        {**_ANSWER, "unknown_candidates": "int32[b]"},
    ),
    "assets": signatures.ASSETS,
}
"""A history begins with its oldest item; an option is a scalar, or has a value for each row."""

VOCABULARY, TITLES = "items.txt", "titles.json"
"""Assets: one name a line, the most popular first; and titles, where the data have them."""

LEFT_OUT = float(np.finfo(np.float32).min)
"""Score of a place without an item: a number, as JSON has no infinity, and the last when sorted."""

LIMITS = {
    "rows_times_k": 2**21,
    "rows_times_items": 2**28,
    "rows_times_names": 2**22,  # of the longest history, and of the longest list of candidates
}
"""Bounds of a request, which the graph holds; also in the asset settings.json."""

_SCORES_AT_ONCE = 1 << 24  # of a request, rows times items; bounds the memory, to 64 MB an array
_STEPS_AT_ONCE = 1 << 16  # of histories, rows times items that the model reads; likewise


class ServedItems:
    """Serves a next-item model: names of items in and out.

    Args:
        trained: what `model.build` returned.
        item_names: in the order of their codes, from code 1.
        titles: in the same order, or None.
        item_counts: int64 [items], events of each in the train part.
        history_items: how many of the most recent items of a history the model reads.
        settings: the asset settings.json.

    Attributes:
        saved: what has to be saved for the signatures.
    """

    def __init__(
        self,
        trained: keras.Model,
        item_names: Sequence[str],
        titles: Sequence[str] | None,
        item_counts: np.ndarray,
        history_items: int,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.layers = model.layers_of(trained)
        self.item_count = len(item_names)
        self.history_items = history_items
        contents = {VOCABULARY: "".join(f"{name}\n" for name in item_names)}
        if titles is not None:
            contents[TITLES] = json.dumps(list(titles), ensure_ascii=False)
        settings = {**(settings or {}), "limits": LIMITS}
        contents[assets.SETTINGS] = json.dumps(settings, indent=2) + "\n"
        self.assets = assets.Assets(contents)
        vocabulary = self.assets.folder / VOCABULARY
        self.codes = data.item_table(vocabulary)
        self.names = _name_table(vocabulary)
        self.popularity = tf.Variable(popularity(item_counts), trainable=False)
        self.saved = tf.Module(name="served_items")
        self.saved.weights = [*(weight.value for weight in trained.weights), self.popularity]
        self.saved.tables = [self.codes, self.names]
        self.saved.assets = self.assets.saved

    def signatures(self) -> dict[str, Any]:
        """Returns a traceable function by the name of its signature."""
        names = tf.TensorSpec([None, None], tf.string)
        options = {
            "k": tf.TensorSpec(None, tf.int32, "k"),  # a scalar, or a value for each row
            "exclude_seen": tf.TensorSpec(None, tf.bool, "exclude_seen"),
        }
        return {
            "serving_default": tf.function(self.next_items, autograph=False).get_concrete_function(
                history=names, **options
            ),
            "candidates": tf.function(self.candidates, autograph=False).get_concrete_function(
                history=names, include=names, exclude=names, **options
            ),
            "assets": self.assets.signature(),
        }

    def next_items(
        self, history: tf.Tensor, k: tf.Tensor, exclude_seen: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default`."""
        nothing = tf.zeros([tf.shape(history)[0], 0], tf.int32)
        return self._answer(history, k, exclude_seen, nothing, None)

    def candidates(
        self,
        history: tf.Tensor,
        k: tf.Tensor,
        exclude_seen: tf.Tensor,
        include: tf.Tensor,
        exclude: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Answers signature `candidates`; an `include` of unknown names only leaves no item."""
        rows = tf.shape(history)[0]
        include = _names_within(include, "include", rows)
        exclude = _names_within(exclude, "exclude", rows)
        included = data.preprocess(include, self.codes)
        is_limited = tf.reduce_any(include != "", axis=1)
        excluded = data.preprocess(exclude, self.codes)
        answer = self._answer(history, k, exclude_seen, excluded, (included, is_limited))
        unknown = data.unknown(include, self.codes) + data.unknown(exclude, self.codes)
        return {**answer, "unknown_candidates": unknown}

    def _answer(
        self,
        history: tf.Tensor,
        k: tf.Tensor,
        exclude_seen: tf.Tensor,
        excluded: tf.Tensor,
        included: tuple[tf.Tensor, tf.Tensor] | None,
    ) -> dict[str, tf.Tensor]:
        """Returns items, scores, unknown counts for names [b, time]; the lists are codes [b, m]."""
        batch = tf.shape(history)[0]
        history = _names_within(history, "history", batch)
        history = limits.at_most(
            history, [batch, self.item_count], LIMITS["rows_times_items"], "history: rows by items"
        )
        k = limits.checked(k, tf.reduce_all(k >= 1), "k: has to be at least 1, is", k)
        k = tf.minimum(tf.broadcast_to(k, [batch]), self.item_count)
        width = tf.reduce_max(tf.concat([[0], k], axis=0))
        k = limits.at_most(
            k, [batch, width], LIMITS["rows_times_k"], "k: rows times k, or times the items"
        )
        width = tf.reduce_max(tf.concat([[0], k], axis=0))
        seen = data.preprocess(history, self.codes)
        hidden = tf.where(tf.broadcast_to(exclude_seen, [batch])[:, None], seen, 0)
        hidden = tf.concat([hidden, excluded], axis=1)
        recent = self._recent(seen)
        rows_at_once = tf.maximum(
            1, tf.minimum(_SCORES_AT_ONCE // self.item_count, _STEPS_AT_ONCE // tf.shape(recent)[1])
        )

        def block(first: tf.Tensor, best: tf.TensorArray, codes: tf.TensorArray) -> tuple:
            rows = slice(first, first + rows_at_once)
            scores = self._scores(recent[rows])
            if included is not None:
                scores = _only(scores, included[0][rows], included[1][rows])
            top = tf.math.top_k(_without(scores, hidden[rows]), width)
            at = first // rows_at_once
            return first + rows_at_once, best.write(at, top.values), codes.write(at, top.indices)

        def blocks(dtype: tf.DType) -> tf.TensorArray:
            return tf.TensorArray(dtype, 0, dynamic_size=True, infer_shape=False)

        # The first block is read even if it is empty, so that there is one
        _, best, codes = tf.while_loop(
            lambda first, *_: tf.logical_or(first < batch, tf.equal(first, 0)),
            block,
            (0, blocks(tf.float32), blocks(tf.int32)),
        )
        scores = tf.reshape(best.concat(), [batch, width])
        codes = tf.reshape(codes.concat(), [batch, width])
        is_item = tf.logical_and(scores > LEFT_OUT, tf.range(width) < k[:, None])
        names = self.names.lookup(tf.cast(codes, tf.int64))
        return {
            "items": tf.where(is_item, names, ""),
            "scores": tf.where(is_item, scores, LEFT_OUT),
            "unknown": data.unknown(history, self.codes),
        }

    def _recent(self, seen: tf.Tensor) -> tf.Tensor:
        """Returns the codes that the model reads, int32 [b, time >= 1], with zeros at the end."""
        lengths = tf.math.count_nonzero(seen, axis=1, dtype=tf.int32)
        seen = tf.pad(seen, [[0, 0], [0, 1]])
        longest = tf.reduce_max(tf.concat([[1], tf.minimum(lengths, self.history_items)], axis=0))
        begins = tf.maximum(lengths - self.history_items, 0)
        return tf.gather(seen, begins[:, None] + tf.range(longest), axis=1, batch_dims=1)

    def _scores(self, recent: tf.Tensor) -> tf.Tensor:
        """Returns float32 [rows, items]; for rows without a known item, logarithms of the counts.

        The model's own last product, without the copy that transposing its matrix makes.
        """
        queries = model.queries(self.layers, model.last_outputs(self.layers, recent))
        table = self.layers["items"]
        products = tf.matmul(queries, table.embeddings.value, transpose_b=True)
        scores = products + table.bias.value
        scores = model.with_repeats(self.layers, scores, queries, recent)
        scores = model.with_transitions(self.layers, scores, recent)
        is_empty = recent[:, 0] == 0
        return tf.cond(
            tf.reduce_any(is_empty),
            lambda: tf.where(is_empty[:, None], self.popularity, scores),
            lambda: scores,
        )


def served(run: Path) -> ServedItems:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    return of_model(trained_model.load(run))


def of_model(trained: trained_model.TrainedModel) -> ServedItems:
    """Builds the signatures over a trained model; the settings say how its log was read."""
    config = trained.config
    return ServedItems(
        trained.model,
        trained.item_names,
        trained.titles,
        trained.item_counts,
        config.model.history_items,
        {
            "columns": dataclasses.asdict(config.columns),
            "sessions": dataclasses.asdict(config.sessions),
        },
    )


def popularity(item_counts: np.ndarray) -> np.ndarray:
    """Returns scores float32 [items] for empty histories: ln(1 + events in the train part)."""
    return np.log1p(np.asarray(item_counts, np.float64)).astype(np.float32)


def _names_within(names: tf.Tensor, name: str, rows: tf.Tensor) -> tf.Tensor:
    """Returns string [rows, any] after checks of its sides."""
    given, count = tf.unstack(tf.shape(names))
    told = f"{name}: needs a row for each history; the rows of both are"
    names = limits.checked(names, tf.equal(given, rows), told, given, rows)
    told = f"{name}: rows times names of the longest one"
    return limits.at_most(names, [given, count], LIMITS["rows_times_names"], told)


def _only(scores: tf.Tensor, included: tf.Tensor, is_limited: tf.Tensor) -> tf.Tensor:
    """Keeps only the scores of the codes [rows, m], in rows where the choice is limited."""
    shape = tf.stack([tf.shape(scores)[0], tf.shape(scores)[1] + 1])  # code 0 stands in front
    kept = tf.scatter_nd(_places(included), tf.ones_like(included), shape)[:, 1:]
    return tf.where(tf.logical_or(kept > 0, ~is_limited[:, None]), scores, LEFT_OUT)


def _without(scores: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
    """Leaves the codes [rows, m] out of the scores; code 0 leaves out nothing."""
    at = _places(tf.maximum(codes - 1, 0))
    highest = tf.where(codes > 0, LEFT_OUT, scores.dtype.max)
    return tf.tensor_scatter_nd_min(scores, at, highest)


def _places(columns: tf.Tensor) -> tf.Tensor:
    """Returns (row, column) for columns int32 [rows, m]: int32 [rows, m, 2]."""
    rows = tf.broadcast_to(tf.range(tf.shape(columns)[0])[:, None], tf.shape(columns))
    return tf.stack([rows, columns], axis=2)


def _name_table(vocabulary: Path) -> tf.lookup.StaticHashTable:
    """Builds a table of item names by their places, from 0."""
    lines = tf.lookup.TextFileInitializer(
        str(vocabulary),
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
    )
    return tf.lookup.StaticHashTable(lines, default_value="")


UNKNOWN = "no item\nhas a line break in its name"

RequestRow = dict[str, Sequence[str]]


def requests(
    trained: keras.Model,
    item_names: Sequence[str],
    item_counts: np.ndarray,
    history_items: int,
) -> list[warmup_requests.Request]:
    """Returns requests of one and of several rows: long, short, empty, and with unknown names.

    The answers come from the model as Keras runs it, a history at a time without any padding, and
    from NumPy; not from the functions that are exported.
    """
    names = list(item_names)
    some = [names[at] for at in np.linspace(0, len(names) - 1, 5).astype(int)]
    rows: list[RequestRow] = [
        {"history": (names * history_items)[: history_items + 3]},  # longer than the model reads
        {"history": ["", some[1], UNKNOWN, "", some[2]], "include": some[:3], "exclude": some[1:2]},
        {"history": [], "exclude": [some[0], UNKNOWN]},
        {"history": [UNKNOWN], "include": [UNKNOWN]},
    ]
    answered = _Answers(trained, names, item_counts, history_items)
    found = []
    for exclude_seen in (False, True):
        for chosen, k in ((rows[:1], 10), (rows, 3), (rows, np.array([1, 5, 2, 4], np.int32))):
            options = {"k": np.int32(k), "exclude_seen": np.bool_(exclude_seen)}
            found += [
                answered.request(signature, chosen, options)
                for signature in ("serving_default", "candidates")
            ]
    return [*found, assets.request()]


class _Answers:
    """Answers requests by Keras and NumPy."""

    def __init__(
        self,
        trained: keras.Model,
        names: list[str],
        item_counts: np.ndarray,
        history_items: int,
    ) -> None:
        self.trained = trained
        self.names = names
        self.popularity = popularity(item_counts)
        self.code_of = {name: code for code, name in enumerate(names, 1)}
        self.history_items = history_items

    def request(
        self, signature: str, rows: list[RequestRow], options: dict[str, Any]
    ) -> warmup_requests.Request:
        """Returns a request of `rows`; only `candidates` gets the lists of items."""
        lists = ["history"] + (["include", "exclude"] if signature == "candidates" else [])
        sent = [{name: row.get(name, []) for name in lists} for row in rows]
        counts = np.minimum(np.broadcast_to(options["k"], len(rows)), len(self.names))
        items = np.full((len(rows), counts.max()), b"", object)
        scores = np.full(items.shape, LEFT_OUT, np.float32)
        for at, row in enumerate(sent):
            best = self._best(row, bool(options["exclude_seen"]), counts[at])
            for place, (name, score) in enumerate(best):
                items[at, place], scores[at, place] = name.encode(), score
        unknown = {"unknown": self._unknown(sent, "history")}
        if signature == "candidates":
            both = self._unknown(sent, "include") + self._unknown(sent, "exclude")
            unknown["unknown_candidates"] = both
        inputs = {name: padded_histories([row[name] for row in sent]) for name in lists}
        return warmup_requests.Request(
            signature, {**inputs, **options}, {"items": items, "scores": scores, **unknown}
        )

    def _best(self, row: RequestRow, exclude_seen: bool, count: int) -> list[tuple[str, float]]:
        history = self._codes(row["history"])
        scores = self.popularity
        if len(history):
            (scores,) = np.asarray(self.trained(history[None, -self.history_items :]))
        left_out = self._codes(row.get("exclude", []))
        if exclude_seen:
            left_out = np.union1d(left_out, history)
        if any(row.get("include", [])):
            every = np.arange(1, len(self.names) + 1)
            not_included = np.setdiff1d(every, self._codes(row["include"]))
            left_out = np.union1d(left_out, not_included)
        codes = ranking.top_of_row(scores, count, np.unique(left_out).astype(int))
        return [(self.names[code - 1], scores[code - 1]) for code in codes if code]

    def _codes(self, names: Sequence[str]) -> np.ndarray:
        known = [self.code_of[name] for name in names if name in self.code_of]
        return np.array(known, np.int32)

    def _unknown(self, rows: list[RequestRow], name: str) -> np.ndarray:
        dropped = [
            sum(bool(each) and each not in self.code_of for each in row[name]) for row in rows
        ]
        return np.array(dropped, np.int32)


def padded_histories(rows: Sequence[Sequence[str]]) -> np.ndarray:
    """Returns names as bytes, object [rows, longest], with "" after the end of shorter rows."""
    longest = max(map(len, rows), default=0)
    table = np.full((len(rows), longest), b"", object)
    for at, row in enumerate(rows):
        table[at, : len(row)] = [name.encode() for name in row]
    return table
