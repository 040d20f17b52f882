"""The baseline of similar histories: session-kNN (Jannach and Ludewig 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from apps.recommendation import history_matrices
from apps.recommendation.histories import Histories, Queries

_MOST_HISTORIES = 50_000  # that are compared; a million would take minutes for 256 queries
_MOST_ITEMS = 100  # of a query's history, the last ones, that are looked for in others
_POPULARITY_WEIGHT = 1e-4  # orders what no neighbour holds, and what ties


def by_recency(train: Histories, item_count: int) -> scipy.sparse.csr_array:
    """Items of each history, `history_matrices.of_train`, the histories that ended last at the end.

    The 50,000 last ones alone. Of a log without times the histories stay in its order.
    """
    matrix = history_matrices.of_train(train, item_count)
    if train.times is not None:
        matrix = matrix[np.argsort(train.times[train.starts[1:] - 1], kind="stable")]
    return matrix[-_MOST_HISTORIES:]


@dataclass(frozen=True)
class SessionNeighbours:
    """Items of the k most similar histories of the train part.

    With the sets of items q of the query's history (its last 100) and n of a history in train:

        sim(q, n) = |q & n| / sqrt(|q| |n|)        score(j) = sum over the k nearest n with j of sim

    Neighbours are looked for among the `sample` histories that ended last of those that share an
    item with the query (None = among all).
    """

    histories: scipy.sparse.csr_array
    order: np.ndarray
    k: int
    sample: int | None

    @property
    def chosen(self) -> str:
        return f"k {self.k} of the last {self.sample or self.histories.shape[0]:,}"

    def scores(self, queries: Queries) -> np.ndarray:
        """float32 (queries, items)."""
        asked = history_matrices.of_queries(queries, len(self.order), _MOST_ITEMS)
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
