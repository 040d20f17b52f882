"""The baseline of item-to-item transitions: what followed the last items of a history elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from apps.recommendation import history_matrices
from apps.recommendation.histories import Histories, Queries

_POPULARITY_WEIGHT = 1e-4  # orders what no transition reaches, and what ties


def probabilities(train: Histories, item_count: int, reach: int) -> scipy.sparse.csr_array:
    """P(j | i), float32 (items, items): how often j came after i in a history of the train part.

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
        """float32 (queries, items)."""
        history = history_matrices.by_age(queries, len(self.order), self.decay)
        found = (history @ self.matrix).toarray()
        found += _POPULARITY_WEIGHT * self.order
        return found
