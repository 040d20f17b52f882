"""The requests that a server warms up with, and Keras's answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from apps import warmup_requests
from apps.recommendation import ranking, served_items

UNKNOWN = "no item\nhas a line break in its name"

Row = dict[str, Sequence[str]]


def requests(
    trained: keras.Model,
    item_names: Sequence[str],
    item_counts: np.ndarray,
    history_items: int,
) -> list[warmup_requests.Request]:
    """For each signature one row and several: long, short and empty ones, with unknown names.

    The answers come from the model as Keras runs it, a history at a time without any padding, and
    from NumPy; not from the functions that are exported.
    """
    names = list(item_names)
    some = [names[at] for at in np.linspace(0, len(names) - 1, 5).astype(int)]
    rows: list[Row] = [
        {"history": (names * history_items)[: history_items + 3]},  # longer than what is read
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
    return found


class _Answers:
    """What Keras and NumPy answer."""

    def __init__(
        self,
        trained: keras.Model,
        names: list[str],
        item_counts: np.ndarray,
        history_items: int,
    ) -> None:
        self.trained = trained
        self.names = names
        self.popularity = served_items.popularity(item_counts)
        self.code_of = {name: code for code, name in enumerate(names, 1)}
        self.history_items = history_items

    def request(
        self, signature: str, rows: list[Row], options: dict[str, Any]
    ) -> warmup_requests.Request:
        """`rows` with the same `options`; lists of the signature `candidates` alone are sent."""
        lists = ["history"] + (["include", "exclude"] if signature == "candidates" else [])
        sent = [{name: row.get(name, []) for name in lists} for row in rows]
        counts = np.minimum(np.broadcast_to(options["k"], len(rows)), len(self.names))
        items = np.full((len(rows), counts.max()), b"", object)
        scores = np.full(items.shape, served_items.LEFT_OUT, np.float32)
        for at, row in enumerate(sent):
            best = self._best(row, bool(options["exclude_seen"]), counts[at])
            for place, (name, score) in enumerate(best):
                items[at, place], scores[at, place] = name.encode(), score
        unknown = {"unknown": self._unknown(sent, "history")}
        if signature == "candidates":
            both = self._unknown(sent, "include") + self._unknown(sent, "exclude")
            unknown["unknown_candidates"] = both
        inputs = {name: padded([row[name] for row in sent]) for name in lists}
        return warmup_requests.Request(
            signature, {**inputs, **options}, {"items": items, "scores": scores, **unknown}
        )

    def _best(self, row: Row, exclude_seen: bool, count: int) -> list[tuple[str, float]]:
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

    def _unknown(self, rows: list[Row], name: str) -> np.ndarray:
        dropped = [
            sum(bool(each) and each not in self.code_of for each in row[name]) for row in rows
        ]
        return np.array(dropped, np.int32)


def padded(rows: Sequence[Sequence[str]]) -> np.ndarray:
    """Names as bytes, with "" behind shorter rows: object [rows, longest]."""
    longest = max(map(len, rows), default=0)
    table = np.full((len(rows), longest), b"", object)
    for at, row in enumerate(rows):
        table[at, : len(row)] = [name.encode() for name in row]
    return table
