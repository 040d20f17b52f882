"""Joins the network's scores with counts of which item followed which.

A network of vectors finds what is alike, and blurs what is particular: that one item follows
another more often than their vectors say. Counts keep that, for the items that have been seen
often enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import scipy.sparse
import tensorflow as tf

from apps.recommendation import config as configs
from apps.recommendation.histories import Histories, begins_moment

_NOTHING = -1e9  # a logarithm that no sum sees
LATEST = 6  # items of a history that are asked for their successors


class Mixture(NamedTuple):
    """Numbers that join counts with a network; validation chooses them.

    reach: moments after an item in which another is its successor.
    evidence: share e of the count of an item's successors that is divided out, as a power: 0
        leaves the counts, so that they outweigh the network where there are many; 1 makes
        probabilities.
    weight: w of the counts; 0 = the network alone.
    decay: d, by which an item counts less than the one after it.
    seen: nats that are taken from the items of the history.
    """

    reach: int = 3
    evidence: float = 0.5
    weight: float = 0.0
    decay: float = 0.5
    seen: float = 0.0

    def __str__(self) -> str:
        if not self.weight and not self.seen:
            return "the network alone"
        return (
            f"weight {self.weight:g}, up to {self.reach:g} apart, decay {self.decay:g}, "
            f"evidence {self.evidence:g}, seen items {self.seen:g} nats lower"
        )


class Successors(NamedTuple):
    """The most frequent successors of each item, in the order of the codes.

    codes: int32 (items, K); counts: float32 (items, K). An item with fewer successors has its first
    one in the other places, an item without any has code 1 and a count of 0. totals: float32
    (items,), counts of all successors, those too that are not kept.
    """

    codes: np.ndarray
    counts: np.ndarray
    totals: np.ndarray


def successors(
    train: Histories, split: configs.SplitConfig, item_count: int, reach: int, most: int
) -> Successors:
    """Counts the successors of each item in the train part.

    An item of a moment that is s moments after another's counts 1 / s, up to s = `reach`. Of equal
    counts the more popular item stands first.

    Args:
        train: histories.
        split: see `histories.begins_moment`.
        item_count: items that have a code.
        reach: moments.
        most: successors of an item that are kept.
    """
    begins = begins_moment(train, split)
    firsts = np.flatnonzero(begins)
    owner = np.repeat(np.arange(len(train.starts) - 1), train.lengths)[firsts]
    ones = np.ones(len(train.items), np.float32)
    taken = scipy.sparse.csr_array(
        (ones, train.items - 1, np.append(firsts, len(train.items))),
        shape=(len(firsts), item_count),
    )
    total = scipy.sparse.csr_array((item_count, item_count), dtype=np.float32)
    for step in range(1, min(reach, len(firsts) - 1) + 1):
        pairs = np.flatnonzero(owner[step:] == owner[:-step])
        total = total + (taken[pairs].T @ taken[pairs + step]).tocsr() / np.float32(step)
    return _most_frequent(total.tocsr(), most)


def _most_frequent(total: scipy.sparse.csr_array, most: int) -> Successors:
    item_count = total.shape[0]
    total.sort_indices()
    lengths = np.diff(total.indptr)
    width = min(most, item_count)
    rows = np.repeat(np.arange(item_count), lengths)
    order = np.lexsort((total.indices, -total.data, rows))
    place = np.arange(len(rows)) - np.repeat(total.indptr[:-1], lengths)
    kept = place < width
    counts = np.zeros((item_count, width), np.float32)
    codes = np.ones((item_count, width), np.int32)
    counts[rows[kept], place[kept]] = total.data[order][kept]
    codes[rows[kept], place[kept]] = total.indices[order][kept] + 1
    is_missing = counts == 0
    codes, counts = (np.where(is_missing, each[:, :1], each) for each in (codes, counts))
    return Successors(codes, counts, np.asarray(total.sum(axis=1), np.float32).ravel())


@keras.saving.register_keras_serializable(package="recommendation")
class Transitions(keras.layers.Layer):
    """Adds the counts of transitions to the network's expectation, which is their prior.

        p_j = softmax(s)_j + w Σ_a d^a C[x_a, j] / n(x_a)^e        a = 0, …, 5
        score_j = ln p_j - b [j in x]

    with x_a the item of age a, 0 for the last one of the history, C[i, j] the count of j after i,
    n(i) = Σ_j C[i, j], and the numbers of `Mixture`. With e = 0 that is, up to a factor, the mean
    of a Dirichlet distribution whose prior is the network with 1 / w events (MacKay and Peto
    1995). Counts of the train part know its right answers, so nothing here is learned by gradient.

    Each item of the history is added by itself, so that what is written twice at once is one
    value: some runtimes write in any order.

    Attribute `mixture`: the numbers, which the saved layer tells.

    Weights: `codes` int32 (items, K), columns of the successors, and `strengths` ln(w C / n^e)
    (items, K); `ages` ln d^a (6,); `seen` b ().

    Args:
        item_count: items that have a code.
        width: K.
        mixture: numbers of `Mixture`; the defaults are the network alone.

    Call arguments:
        scores: s, float32 (batch, items); column 0 is the item of code 1.
        history: x, int32 (batch, time), 0 for padding.

    Returns:
        Scores, float32 (batch, items).
    """

    def __init__(
        self, item_count: int, width: int, mixture: Sequence[Any] = (), **options: Any
    ) -> None:
        super().__init__(**options)
        self.item_count = item_count
        self.width = width
        self.mixture = Mixture(*mixture)

    def build(self, *_: Any) -> None:
        def weight(name: str, shape: tuple[int, ...], dtype: str = "float32") -> Any:
            return self.add_weight(
                shape=shape, initializer="zeros", dtype=dtype, trainable=False, name=name
            )

        self.codes = weight("codes", (self.item_count, self.width), "int32")
        self.strengths = weight("strengths", (self.item_count, self.width))
        self.ages = weight("ages", (LATEST,))
        self.seen = weight("seen", ())
        self.built = True

    def mix(self, found: Successors, mixture: Mixture) -> None:
        """Sets the weights to counts and the numbers that join them with the network."""
        divided = np.maximum(found.totals, 1e-9)[:, None] ** mixture.evidence
        with np.errstate(divide="ignore"):
            strengths = np.log(mixture.weight * found.counts / divided)
            ages = np.log(np.power(mixture.decay, np.arange(LATEST)))  # 0 ** 0 = 1
        self.codes.assign(found.codes - 1)
        self.strengths.assign(np.maximum(strengths, _NOTHING))
        self.ages.assign(np.maximum(ages, _NOTHING))
        self.seen.assign(mixture.seen)
        self.mixture = mixture

    def call(self, scores: Any, history: Any) -> Any:
        known = history > 0
        later = tf.cumsum(tf.cast(known, tf.int32), axis=1, exclusive=True, reverse=True)
        is_age = known[:, None] & (later[:, None] == tf.range(LATEST)[:, None])
        items = tf.reduce_sum(tf.where(is_age, history[:, None], 0), axis=2)  # (batch, ages)
        ages = tf.where(items > 0, tf.convert_to_tensor(self.ages), _NOTHING)
        columns = tf.gather(tf.convert_to_tensor(self.codes), tf.maximum(items - 1, 0))
        added = tf.gather(tf.convert_to_tensor(self.strengths), tf.maximum(items - 1, 0))
        added = tf.maximum(added + ages[:, :, None], _NOTHING)
        found = tf.nn.log_softmax(scores)
        for age in range(LATEST):
            places = _places(columns[:, age])
            both = _log_add(tf.gather_nd(found, places), added[:, age])
            found = tf.tensor_scatter_nd_max(found, places, both)
        # What an item is taken down to is the same at each of its places in the history
        lowered = tf.gather(found, tf.maximum(history - 1, 0), batch_dims=1)
        lowered = tf.where(known, lowered - tf.convert_to_tensor(self.seen), found.dtype.max)
        return tf.tensor_scatter_nd_min(found, _places(tf.maximum(history - 1, 0)), lowered)

    def compute_output_spec(self, scores: Any, history: Any) -> keras.KerasTensor:
        return keras.KerasTensor(scores.shape, scores.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "item_count": self.item_count,
            "width": self.width,
            "mixture": list(self.mixture),
        }


def _places(columns: tf.Tensor) -> tf.Tensor:
    """Returns (row, column) for columns int32 (batch, any): int32 (batch, any, 2)."""
    rows = tf.broadcast_to(tf.range(tf.shape(columns)[0])[:, None], tf.shape(columns))
    return tf.stack([rows, columns], axis=2)


def _log_add(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns ln(exp a + exp b)."""
    return tf.maximum(one, other) + tf.math.softplus(-tf.abs(one - other))
