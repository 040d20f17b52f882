"""Histories as sparse matrices (histories, items): column 0 is the item of code 1."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.sparse

from apps.recommendation.histories import Histories, Queries

_MOST_EVENTS = 1_000


def of_train(train: Histories, item_count: int) -> scipy.sparse.csr_array:
    """1 where a history holds an item, however often: float32 (histories, items)."""
    rows = np.repeat(np.arange(len(train.starts) - 1), train.lengths)
    return _ones(rows, train.items - 1, (len(train.starts) - 1, item_count))


def of_queries(queries: Queries, item_count: int, longest: int) -> scipy.sparse.csr_array:
    """1 where an item is among the last `longest` before a query: float32 (queries, items)."""
    rows, codes = _recent(queries, longest).seen(slice(None))
    return _ones(rows, codes - 1, (len(queries), item_count))


def by_age(queries: Queries, item_count: int, decay: float) -> scipy.sparse.csr_array:
    """Sum of decay ** age over each item's places in a history: float32 (queries, items).

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
    """The same queries with nothing but the last events of their histories."""
    starts = np.maximum(queries.history_start, queries.history_end - longest)
    return dataclasses.replace(queries, history_start=starts)


def _ones(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> scipy.sparse.csr_array:
    ones = np.ones(len(rows), np.float32)
    matrix = scipy.sparse.coo_array((ones, (rows, columns)), shape=shape).tocsr()
    matrix.data[:] = 1
    return matrix
