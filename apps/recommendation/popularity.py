"""Baselines that know the items and not, or hardly, the history: how often each one was taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps.recommendation import history_matrices
from apps.recommendation.histories import Histories, Queries


def in_order(counts: np.ndarray) -> np.ndarray:
    """Scores float32 (items,) from 1 down to above 0, by counts (items,); no two are equal.

    Of items with equal counts the one of the lower code stands first, as in a list that is shown.
    """
    places = np.empty(len(counts), np.int64)
    places[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return (1 - places / len(counts)).astype(np.float32)


def recent_counts(train: Histories, item_count: int, share: float) -> np.ndarray:
    """Events of each item (items,) among the last `share` of all events of the train part."""
    assert train.times is not None
    border = np.quantile(train.times, 1 - share)
    return np.bincount(train.items[train.times >= border] - 1, minlength=item_count)


@dataclass(frozen=True)
class Popularity:
    """The same list for everybody: scores of the items (items,), as `in_order` gives them."""

    order: np.ndarray
    chosen: str = ""

    def scores(self, queries: Queries) -> np.ndarray:
        """float32 (queries, items)."""
        return np.tile(self.order, (len(queries), 1))


@dataclass(frozen=True)
class RepeatedItems:
    """What the history holds, the most often and latest taken first; then the popular items.

    The score of an item is the sum of decay ** age over its places in the history, age 0 being the
    last one.
    """

    order: np.ndarray
    decay: float

    @property
    def chosen(self) -> str:
        return f"decay {self.decay:g}"

    def scores(self, queries: Queries) -> np.ndarray:
        """float32 (queries, items)."""
        own = history_matrices.by_age(queries, len(self.order), self.decay).toarray()
        return (own + 1e-5 * self.order).astype(np.float32)
