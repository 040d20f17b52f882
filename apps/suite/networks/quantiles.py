"""Builds the head that answers with a mean and with quantiles which never cross, and its loss.

With h, a vector of a sequence or of a step, and levels a_1 < … < a_K, of which a_c is nearest 0.5:

    o        = W h + b                          1 + K numbers for each target
    m        = l + s · o_0                      mean
    q_c      = l + s · o_1                      centre
    q_(k+1)  = q_k + s · softplus(o)            for k ≥ c, each with an o of its own
    q_(k-1)  = q_k - s · softplus(o)            for k ≤ c

l and s are the mean and the deviation of each target over the train part. The mean learns from its
squared error, the quantiles from the pinball loss (Koenker and Bassett 1978), both in units of s:

    L = (y - m)² / s² + Σ_k max(a_k (y - q_k), (a_k - 1) (y - q_k)) / s

With `logarithm`, for targets above 0, all of this holds for their natural logarithm: l and s are
those of ln y, the head returns exp(m), the geometric mean, and exp(q_k), and the loss reads
logarithms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="lstm_tasks")
class QuantileHead(keras.layers.Layer):
    """Maps vectors to a mean and quantiles of each target, in the targets' own units.

    Args:
        levels: of the quantiles, rising, each between 0 and 1.
        mean, deviation: of each target over the train part, [targets].
        logarithm: they are those of the targets' logarithm.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        vectors: (batch, width) or (batch, time, width).

    Returns:
        (batch, targets, 1 + levels) or (batch, time, targets, 1 + levels): the mean, followed by
        the quantiles, lowest first.

    Raises:
        ValueError: levels that do not rise or lie outside of 0 to 1, a deviation that is not
            above 0.
    """

    def __init__(
        self,
        levels: Sequence[float],
        mean: Sequence[float],
        deviation: Sequence[float],
        logarithm: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.logarithm = logarithm
        self.levels = check_levels(levels)
        self.mean = [float(each) for each in mean]
        self.deviation = [float(each) for each in deviation]
        if len(self.mean) != len(self.deviation) or min(self.deviation) <= 0:
            raise ValueError("each target needs a mean and a deviation above 0")
        self.supports_masking = True

    def build(self, shape: tuple[Any, ...]) -> None:
        count = len(self.mean) * (1 + len(self.levels))
        self.kernel = self.add_weight(name="kernel", shape=(shape[-1], count))
        self.bias = self.add_weight(name="bias", shape=(count,), initializer="zeros")
        self.built = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Returns no mask: the loss knows which steps have a target."""

    def call(self, vectors: Any) -> Any:
        numbers = ops.matmul(vectors, self.kernel) + self.bias
        shape = ops.shape(numbers)
        width = 1 + len(self.levels)
        numbers = ops.reshape(numbers, (*shape[:-1], len(self.mean), width))
        mean, centre, steps = numbers[..., :1], numbers[..., 1:2], ops.softplus(numbers[..., 2:])
        below = int(np.argmin(np.abs(np.array(self.levels) - 0.5)))
        # Quantiles of a few levels: sums one by one, in operations that ONNX and a server have
        lower, upper = [], []
        last = centre
        for at in range(below):
            last = last - steps[..., at : at + 1]
            lower.append(last)
        last = centre
        for at in range(below, len(self.levels) - 1):
            last = last + steps[..., at : at + 1]
            upper.append(last)
        scaled = ops.concatenate([mean, *reversed(lower), centre, *upper], axis=-1)
        location = ops.convert_to_tensor(self.mean, scaled.dtype)[:, None]
        found = location + scaled * ops.convert_to_tensor(self.deviation, scaled.dtype)[:, None]
        return ops.exp(found) if self.logarithm else found

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*shape[:-1], len(self.mean), 1 + len(self.levels))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "levels": self.levels,
            "mean": self.mean,
            "deviation": self.deviation,
            "logarithm": self.logarithm,
        }


@keras.saving.register_keras_serializable(package="lstm_tasks")
class MeanAndPinball(keras.losses.Loss):
    """Squared error of the mean and pinball loss of the quantiles, over the targets that are there.

    Args:
        levels: of the quantiles, those of the head.
        deviation: of each target, the unit of its errors.
        logarithm: errors are those of logarithms, in which the deviation is, too.
        options: those of `keras.losses.Loss`.

    Call arguments:
        y_true: (batch, targets) or (batch, time, targets), NaN where there is no target.
        y_pred: what `QuantileHead` returns.

    Returns:
        Mean over the batch of each row's mean over its targets; 0 for a row without any.
    """

    def __init__(
        self,
        levels: Sequence[float],
        deviation: Sequence[float],
        logarithm: bool = False,
        name: str = "mean_and_pinball",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.levels = check_levels(levels)
        self.deviation = [float(each) for each in deviation]
        self.logarithm = logarithm

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_pred = ops.cast(y_pred, "float32")
        y_true = ops.cast(y_true, "float32")[..., None]
        known = ops.logical_not(ops.isnan(y_true))
        if self.logarithm:
            y_true, y_pred = ops.log(ops.where(known, y_true, 1.0)), ops.log(y_pred)
        # NaN must not reach a product: its gradient would be NaN, however it is weighted
        errors = ops.where(known, y_true - y_pred, 0.0)
        errors = errors / ops.convert_to_tensor(self.deviation, "float32")[:, None]
        square = errors[..., 0] ** 2
        levels = ops.convert_to_tensor(self.levels, "float32")
        pinball = ops.maximum(levels * errors[..., 1:], (levels - 1.0) * errors[..., 1:])
        loss = square + ops.sum(pinball, axis=-1)
        axes = tuple(range(1, len(loss.shape)))
        count = ops.sum(ops.cast(known[..., 0], "float32"), axis=axes)
        return ops.sum(loss, axis=axes) / ops.maximum(count, 1.0)

    def get_config(self) -> dict[str, Any]:
        own = ("levels", "deviation", "logarithm")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def check_levels(levels: Sequence[float]) -> list[float]:
    """Returns the levels as floats; ValueError unless they rise between 0 and 1."""
    found = [float(level) for level in levels]
    if not found or min(found) <= 0 or max(found) >= 1 or found != sorted(set(found)):
        raise ValueError(f"levels must rise between 0 and 1, are {found}")
    return found


def pinball(truth: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> float:
    """Returns the mean pinball loss of quantiles [n, levels] for truths [n], in their unit."""
    errors = np.asarray(truth, float)[:, None] - quantiles
    level = np.asarray(levels, float)
    return float(np.maximum(level * errors, (level - 1) * errors).mean())


def drawn(quantiles: Any, levels: tuple[float, ...], share: Any) -> Any:
    """Returns the quantiles at any levels, linear between those that are known and beyond them.

    Args:
        quantiles: float32 (rows, levels).
        levels: rising.
        share: float32 (rows,), from 0 to 1.
    """
    known = tf.constant(levels, tf.float32)
    above = tf.reduce_sum(tf.cast(share[:, None] > known, tf.int32), axis=1)
    low = tf.clip_by_value(above - 1, 0, len(levels) - 2)
    start, end = (tf.gather(known, each) for each in (low, low + 1))
    first, last = (tf.gather(quantiles, each, batch_dims=1) for each in (low, low + 1))
    return first + (last - first) * (share - start) / (end - start)


def over(values: Any, levels: tuple[float, ...]) -> Any:
    """Returns the quantiles of what was drawn, float32 (batch, levels, time).

    Args:
        values: float32 (batch, draws, time), of a known number of draws.
        levels: of the quantiles.
    """
    ordered, count = tf.sort(values, axis=1), values.shape[1]
    place = np.array(levels) * count - 0.5
    low = np.clip(np.floor(place), 0, count - 1).astype(np.int32)
    high = np.minimum(low + 1, count - 1)
    share = tf.constant(np.clip(place - low, 0, 1), tf.float32)[None, :, None]
    first, last = (tf.gather(ordered, each, axis=1) for each in (low, high))
    return (1 - share) * first + share * last


def stand_ins(quantiles: Any, levels: tuple[float, ...], count: int) -> Any:
    """Returns `count` values that stand for quantiles (…, levels), one for each equal share."""
    shares = (np.arange(count) + 0.5) / count
    low = np.clip(np.searchsorted(levels, shares) - 1, 0, len(levels) - 2)
    start, end = (np.array(levels)[each] for each in (low, low + 1))
    weights = np.zeros((len(levels), count), np.float32)
    weights[low + 1, np.arange(count)] = (shares - start) / (end - start)
    weights[low, np.arange(count)] += 1 - (shares - start) / (end - start)
    return tf.tensordot(quantiles, tf.constant(weights), 1)


def levels_of(values: np.ndarray, quantiles: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Returns the level at which each value lies among its quantiles; undoes `drawn`.

    Args:
        values: float [n].
        quantiles: float [n, levels], rising.
        levels: rising; beyond the outermost a value may lie below 0 or above 1, at most by 1.
    """
    low = np.clip((values[:, None] > quantiles).sum(axis=1) - 1, 0, len(levels) - 2)
    first, last = (np.take_along_axis(quantiles, each[:, None], 1)[:, 0] for each in (low, low + 1))
    start, end = (np.array(levels)[each] for each in (low, low + 1))
    share = (values - first) / np.maximum(last - first, 1e-6)
    return np.clip(start + (end - start) * share, -1.0, 2.0).astype(np.float32)
