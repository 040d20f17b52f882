"""A run or an export behind names: who asks needn't know which of the two answers."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from apps import errors
from apps.recommendation import config as configs
from apps.recommendation import ranking, served_items, served_requests, trained_model

_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Wish:
    """What may be recommended: `k` items, of `include` alone if it names some, none of `exclude`.

    exclude_seen: whether items of the history are left out.
    """

    k: int = 10
    exclude_seen: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class Recommended(NamedTuple):
    """An item, what people call it ("" if nobody said), and its score; higher is better."""

    item: str
    title: str
    score: float


# The best items of each history, names with their scores
_Best = Callable[[Sequence[Sequence[str]], Wish], Iterator[list[tuple[str, float]]]]


class Recommender:
    """Answers histories of item names with the items that may come next.

    Attributes:
        title_of: titles by item name; empty where the data have none.
        columns, sessions: how the run read its log; the defaults for an export.
    """

    def __init__(
        self,
        best: _Best,
        item_names: Sequence[str],
        titles: Sequence[str] | None,
        columns: configs.ColumnsConfig,
        sessions: configs.SessionsConfig,
    ) -> None:
        self._best = best
        self._names = frozenset(item_names)
        self.title_of = dict(zip(item_names, titles, strict=True)) if titles else {}
        self.columns = columns
        self.sessions = sessions

    def unknown(self, names: Sequence[str]) -> list[str]:
        """Those of the names that training didn't see, each once: they are ignored."""
        return [name for name in dict.fromkeys(names) if name and name not in self._names]

    def __call__(
        self, histories: Sequence[Sequence[str]], wish: Wish
    ) -> Iterator[list[Recommended]]:
        """For each history, the oldest item first, up to `wish.k` items, the best one first."""
        for best in self._best(histories, wish):
            yield [Recommended(name, self.title_of.get(name, ""), score) for name, score in best]


def from_run(run: Path) -> Recommender:
    """Asks the model of a finished run as Keras runs it; UserError where there is none."""
    trained = trained_model.load(run)
    names = trained.item_names
    code_of = {name: code for code, name in enumerate(names, 1)}
    popularity = served_items.popularity(trained.item_counts)

    def codes(chosen: Sequence[str]) -> np.ndarray:
        return np.array([code_of[name] for name in chosen if name in code_of], np.int32)

    def best(histories: Sequence[Sequence[str]], wish: Wish) -> Iterator[list[tuple[str, float]]]:
        count = min(wish.k, len(names))
        every = np.arange(1, len(names) + 1)
        left_out = codes(wish.exclude)
        if wish.include:
            left_out = np.union1d(left_out, np.setdiff1d(every, codes(wish.include)))
        for first in range(0, len(histories), _ROWS_AT_ONCE):
            seen = [codes(history) for history in histories[first : first + _ROWS_AT_ONCE]]
            scores = trained.score_last(_padded(seen, trained.config.model.history_items))
            for row, history in zip(scores, seen, strict=True):
                own = row if len(history) else popularity
                hidden = np.union1d(left_out, history) if wish.exclude_seen else left_out
                found = ranking.top_of_row(own, count, np.unique(hidden).astype(np.int64))
                yield [(names[code - 1], float(own[code - 1])) for code in found if code]

    config = trained.config
    return Recommender(best, names, trained.titles, config.columns, config.sessions)


def from_export(version: Path) -> Recommender:
    """Asks an exported version; UserError where there is none, or a damaged one."""
    if not (version / "saved_model.pb").is_file():
        raise errors.UserError(
            f"--model {version}: no exported version; it is the numbered folder that "
            "python -m apps.recommendation.export wrote"
        )
    # TensorFlow warns that gradients were not saved; nothing is trained here.
    logging.getLogger("absl").setLevel(logging.ERROR)
    damaged = errors.UserError(
        f"--model {version}: no export of recommendation, or a damaged one; export the run again"
    )
    try:
        loaded = tf.saved_model.load(str(version))
        ask = loaded.signatures["candidates"]
        assets = version / "assets"
        names = (assets / served_items.VOCABULARY).read_text("utf-8").split("\n")[:-1]
        file = assets / served_items.TITLES
        titles = json.loads(file.read_text("utf-8")) if file.is_file() else None
    except (tf.errors.OpError, OSError, KeyError, ValueError) as error:
        raise damaged from error

    def best(histories: Sequence[Sequence[str]], wish: Wish) -> Iterator[list[tuple[str, float]]]:
        for first in range(0, len(histories), _ROWS_AT_ONCE):
            block = histories[first : first + _ROWS_AT_ONCE]
            try:
                answer = ask(
                    history=_names(block, len(block)),
                    include=_names([wish.include], len(block)),
                    exclude=_names([wish.exclude], len(block)),
                    k=tf.constant(wish.k),
                    exclude_seen=tf.constant(wish.exclude_seen),
                )
            except (tf.errors.OpError, TypeError, ValueError) as error:
                raise damaged from error
            scores = answer["scores"].numpy()
            for row, items in enumerate(answer["items"].numpy()):
                pairs = zip(items, scores[row], strict=True)
                yield [(item.decode(), float(score)) for item, score in pairs if item]

    # The signatures hold no reference to the variables
    best.loaded = loaded  # type: ignore[attr-defined]
    return Recommender(best, names, titles, configs.ColumnsConfig(), configs.SessionsConfig())


def _padded(rows: Sequence[np.ndarray], longest: int) -> np.ndarray:
    """The last `longest` codes of each row, zeros behind: int32 [rows, time], one step or more."""
    longest = max(1, min(longest, max(map(len, rows), default=0)))
    table = np.zeros((len(rows), longest), np.int32)
    for at, row in enumerate(rows):
        recent = row[-longest:]
        table[at, : len(recent)] = recent
    return table


def _names(rows: Sequence[Sequence[str]], count: int) -> tf.Tensor:
    """Names string [count, longest]; a single row stands for all."""
    table = served_requests.padded(rows)
    return tf.constant(np.broadcast_to(table, (count, table.shape[1])), tf.string)
