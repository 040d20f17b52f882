"""Items that a step's right ones are held against, drawn by popularity to a power."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


class Negatives:
    """Draws item indices with replacement: Q_j = count_j^power / Σ count^power.

    A power of 0 draws all items alike, 1 as often as they were taken (Hidasi and Karatzoglou 2018,
    section 3.1). One draw serves all positions of a step, so that a single product scores it.

    Args:
        item_counts: events of each item in the train part (items,).
        power: of the counts.
    """

    def __init__(self, item_counts: np.ndarray, power: float) -> None:
        weights = np.maximum(np.asarray(item_counts, np.float64), 1.0) ** power
        self.log_probabilities = np.log(weights / weights.sum()).astype(np.float32)
        # 64 bits: of a million items the rare ones have less than 32 bits can tell apart
        self._borders = np.cumsum(weights / weights.sum())

    def draw(self, count: int, seed: tf.Tensor) -> tf.Tensor:
        """Indices from 0, int32 (count,): a function of the seed, int (2,), and of nothing else."""
        drawn = tf.random.stateless_uniform((count,), seed, dtype=tf.float64)
        found = tf.searchsorted(self._borders, drawn, side="right")
        # The last border is 1 up to rounding
        return tf.minimum(found, len(self._borders) - 1)
