"""Ranks items by simple baselines: popularity, repetition, transitions, similar histories.

The last is session-kNN (Jannach and Ludewig 2017). Histories are sparse matrices, float32
(histories, items), whose column 0 is the item of code 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse

from apps.recommendation import config as configs
from apps.recommendation import ranking
from apps.recommendation.data import Dataset
from apps.recommendation.histories import Histories, Queries

_MOST_EVENTS = 1_000


def history_matrix_of_train(train: Histories, item_count: int) -> scipy.sparse.csr_array:
    """Returns 1 where a history holds an item, however often: float32 (histories, items)."""
    rows = np.repeat(np.arange(len(train.starts) - 1), train.lengths)
    return _ones(rows, train.items - 1, (len(train.starts) - 1, item_count))


def history_matrix_of_queries(
    queries: Queries, item_count: int, longest: int
) -> scipy.sparse.csr_array:
    """Returns 1 where an item is among a query's last `longest`: float32 (queries, items)."""
    rows, codes = _recent(queries, longest).seen(slice(None))
    return _ones(rows, codes - 1, (len(queries), item_count))


def history_matrix_by_age(
    queries: Queries, item_count: int, decay: float
) -> scipy.sparse.csr_array:
    """Sums decay ** age over each item's places in a history: float32 (queries, items).

    The last item of a history is of age 0; decay 0 leaves it alone, decay 1 counts. The last 1,000
    events are looked at: a few machines among the users may have a million.
    """
    queries = _recent(queries, _MOST_EVENTS)
    rows, codes = queries.seen(slice(None))
    ends = np.cumsum(queries.lengths)
    ages = ends[rows] - 1 - np.arange(len(rows))
    weights = np.power(np.float32(decay), ages, dtype=np.float32)
    kept = weights > 1e-6
    return scipy.sparse.coo_array(
        (weights[kept], (rows[kept], codes[kept] - 1)), shape=(len(queries), item_count)
    ).tocsr()  # sums what stands at one place


def _recent(queries: Queries, longest: int) -> Queries:
    """Returns the same queries with only the last events of their histories."""
    starts = np.maximum(queries.history_start, queries.history_end - longest)
    return dataclasses.replace(queries, history_start=starts)


def _ones(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> scipy.sparse.csr_array:
    ones = np.ones(len(rows), np.float32)
    matrix = scipy.sparse.coo_array((ones, (rows, columns)), shape=shape).tocsr()
    matrix.data[:] = 1
    return matrix


_POPULARITY_WEIGHT = 1e-4  # orders what no transition reaches, and what ties


def transition_probabilities(
    train: Histories, item_count: int, reach: int
) -> scipy.sparse.csr_array:
    """Returns P(j | i), float32 (items, items), from the times j came after i in a train history.

    A pair that is s places apart counts 1 / s, up to `reach` places (the sequential rules of
    Ludewig and Jannach 2018); reach 1 is the Markov chain of first order. Rows sum
    to 1, or are empty.
    """
    owner = np.repeat(np.arange(len(train.starts) - 1), train.lengths)
    items = train.items - 1
    total = scipy.sparse.csr_array((item_count, item_count), dtype=np.float32)
    for step in range(1, reach + 1):
        together = owner[step:] == owner[:-step]
        pairs = (items[:-step][together], items[step:][together])
        weights = np.full(len(pairs[0]), 1 / step, np.float32)
        total = total + scipy.sparse.coo_array((weights, pairs), shape=total.shape).tocsr()
    sums = np.asarray(total.sum(axis=1)).ravel()
    return (scipy.sparse.diags_array(1 / np.maximum(sums, 1e-12)) @ total).astype(np.float32)


@dataclass(frozen=True)
class Transitions:
    """Transitions from all items of a history, weighted by decay ** age (0 = from the last alone).

    With P of `probabilities`: score(j) = sum over the history of decay ** age(i) * P(j | i).
    """

    matrix: scipy.sparse.csr_array
    order: np.ndarray
    reach: int
    decay: float

    @property
    def chosen(self) -> str:
        return f"pairs up to {self.reach} apart, decay {self.decay:g}"

    def scores(self, queries: Queries) -> np.ndarray:
        """Returns float32 (queries, items)."""
        history = history_matrix_by_age(queries, len(self.order), self.decay)
        found = (history @ self.matrix).toarray()
        found += _POPULARITY_WEIGHT * self.order
        return found


def items_in_order(counts: np.ndarray) -> np.ndarray:
    """Scores items by counts (items,), float32 (items,) from 1 down to above 0, all different.

    Of items with equal counts the one of the lower code stands first, as in a list that is shown.
    """
    places = np.empty(len(counts), np.int64)
    places[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return (1 - places / len(counts)).astype(np.float32)


def recent_counts(train: Histories, item_count: int, share: float) -> np.ndarray:
    """Counts the events of each item (items,) in the last `share` of the train part's events."""
    assert train.times is not None
    border = np.quantile(train.times, 1 - share)
    return np.bincount(train.items[train.times >= border] - 1, minlength=item_count)


@dataclass(frozen=True)
class Popularity:
    """Recommends the same list to everybody, by scores of the items (items,)."""

    order: np.ndarray
    chosen: str = ""

    def scores(self, queries: Queries) -> np.ndarray:
        """Returns float32 (queries, items)."""
        return np.tile(self.order, (len(queries), 1))


@dataclass(frozen=True)
class RepeatedItems:
    """Recommends the history's items, most often and latest taken first; then popular items.

    The score of an item is the sum of decay ** age over its places in the history, age 0 being the
    last one.
    """

    order: np.ndarray
    decay: float

    @property
    def chosen(self) -> str:
        return f"decay {self.decay:g}"

    def scores(self, queries: Queries) -> np.ndarray:
        """Returns float32 (queries, items)."""
        own = history_matrix_by_age(queries, len(self.order), self.decay).toarray()
        return (own + 1e-5 * self.order).astype(np.float32)


_MOST_HISTORIES = 50_000  # that are compared; a million would take minutes for 256 queries
_MOST_ITEMS = 100  # of a query's history, the last ones, that are looked for in others


def by_recency(train: Histories, item_count: int) -> scipy.sparse.csr_array:
    """Items of each history (`history_matrix_of_train`), the histories that ended last at the end.

    The 50,000 last ones alone. Of a log without times the histories stay in its order.
    """
    matrix = history_matrix_of_train(train, item_count)
    if train.times is not None:
        matrix = matrix[np.argsort(train.times[train.starts[1:] - 1], kind="stable")]
    return matrix[-_MOST_HISTORIES:]


@dataclass(frozen=True)
class SessionNeighbours:
    """Recommends items of the k most similar histories of the train part.

    With the sets of items q of the query's history (its last 100) and n of a history in train:

        sim(q, n) = |q & n| / sqrt(|q| |n|)        score(j) = sum over the k nearest n with j of sim

    Neighbours are sought among the histories that share an item with the query: the `sample` that
    ended last (None = all).
    """

    histories: scipy.sparse.csr_array
    order: np.ndarray
    k: int
    sample: int | None

    @property
    def chosen(self) -> str:
        return f"k {self.k} of the last {self.sample or self.histories.shape[0]:,}"

    def scores(self, queries: Queries) -> np.ndarray:
        """Returns float32 (queries, items)."""
        asked = history_matrix_of_queries(queries, len(self.order), _MOST_ITEMS)
        shared = (asked @ self.histories.T).tocsr()
        shared.sort_indices()
        sizes = np.sqrt(np.maximum(np.diff(self.histories.indptr), 1))
        own_sizes = np.sqrt(np.maximum(np.diff(asked.indptr), 1))
        rows, columns, weights = [], [], []
        for row in range(len(queries)):
            one = slice(*shared.indptr[row : row + 2])
            others, similar = shared.indices[one], shared.data[one]
            if self.sample is not None:
                others, similar = others[-self.sample :], similar[-self.sample :]
            similar = similar / (sizes[others] * own_sizes[row])
            if len(others) > self.k:
                nearest = np.argpartition(-similar, self.k)[: self.k]
                others, similar = others[nearest], similar[nearest]
            rows.append(np.full(len(others), row))
            columns.append(others)
            weights.append(similar)
        places = (np.concatenate(rows), np.concatenate(columns))
        shape = (len(queries), self.histories.shape[0])
        neighbours = scipy.sparse.coo_array((np.concatenate(weights), places), shape=shape)
        found = (neighbours.tocsr() @ self.histories).toarray().astype(np.float32)
        found += _POPULARITY_WEIGHT * self.order
        return found


_CHOICE_QUERIES = 2_000  # most of validation that a choice looks at; a score takes about 1 ms
_RECENT_SHARES = (0.5, 0.25, 0.1, 0.05, 0.02)
_DECAYS = (0.0, 0.5, 0.9, 1.0)
_REPEAT_DECAYS = (0.5, 0.8, 0.95, 1.0)
_REACHES = (1, 10)
_SAMPLES = (1_000, None)


class Baseline(Protocol):
    """A function that scores every item for a history; `chosen` has the settings of validation."""

    @property
    def chosen(self) -> str: ...

    def scores(self, queries: Queries) -> np.ndarray:
        """Returns float32 (queries, items); column 0 is the item of code 1."""


def fit(dataset: Dataset, config: configs.Config) -> dict[str, Baseline]:
    """Fits all baselines on train, with the settings of the best NDCG@10 on validation.

    - popularity: events in train.
    - recent_popularity: events in the last share of train; left out if the log has no times.
    - repeated_items: what the history holds already, then popularity.
    - markov: see `item_transitions`.
    - session_knn: see `session_neighbours`; k of `evaluation.nearest_histories`.

    Each also tries, last, to hide what the history holds (`Unseen`). What a baseline cannot tell
    apart stands in the order of popularity, as in a list that is shown.
    """
    train, items = dataset.train, len(dataset.item_names)
    queries = dataset.validation.sample(
        min(_CHOICE_QUERIES, config.evaluation.validation_queries), config.seed
    )
    order = items_in_order(dataset.item_counts)
    candidates: dict[str, Iterable[Baseline]] = {
        "popularity": [Popularity(order)],
        "repeated_items": (RepeatedItems(order, decay) for decay in _REPEAT_DECAYS),
        "markov": (
            Transitions(matrix, order, reach, decay)
            for reach in _REACHES
            for matrix in [transition_probabilities(train, items, reach)]
            for decay in _DECAYS
        ),
        "session_knn": (
            SessionNeighbours(matrix, order, k, sample)
            for matrix in [by_recency(train, items)]
            for k in config.evaluation.nearest_histories
            for sample in (_SAMPLES if train.times is not None else (None,))
        ),
    }
    if train.times is not None:
        candidates["recent_popularity"] = (
            Popularity(
                items_in_order(recent_counts(train, items, share)),
                chosen=f"the last {share:.0%} of the events",
            )
            for share in _RECENT_SHARES
        )
    return {name: _best(tried, queries, items, config) for name, tried in candidates.items()}


@dataclass(frozen=True)
class Unseen:
    """A baseline that does not recommend items of the history."""

    baseline: Baseline

    @property
    def chosen(self) -> str:
        return ", ".join(filter(None, [self.baseline.chosen, "nothing twice"]))

    def scores(self, queries: Queries) -> np.ndarray:
        """Returns float32 (queries, items); items of the history are below all others."""
        scores = self.baseline.scores(queries)
        rows, codes = queries.seen(slice(None))
        scores[rows, codes - 1] -= scores.max() - scores.min() + 1
        return scores


def _best(
    tried: Iterable[Baseline], queries: Queries, items: int, config: configs.Config
) -> Baseline:
    """Returns the baseline with the highest NDCG@10, the first of equals."""

    def quality(baseline: Baseline) -> float:
        answered = ranking.ranked(
            baseline.scores,
            queries,
            items,
            exclude_seen=config.evaluation.exclude_seen,
            top_count=1,
            rows_per_block=config.evaluation.rows_per_block,
        )
        return ranking.measures_of_ranks(answered.ranks)[ranking.PRIMARY]

    best, highest = None, -1.0
    for baseline in tried:
        found = quality(baseline)
        if found > highest:
            best, highest = baseline, found
    assert best is not None
    unseen = Unseen(best)
    return unseen if quality(unseen) > highest else best
