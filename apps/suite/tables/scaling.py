"""Scales values and fills gaps: statistics of a training, and the layer that scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.suite import errors
from apps.suite.tables import large_arrays, series


class Statistics(NamedTuple):
    """Statistics of each column's observed values in the train parts, [features] each."""

    counts: np.ndarray  # int64
    mean: np.ndarray  # float32
    deviation: np.ndarray  # float32, above 0: 1 for a constant column
    least: np.ndarray  # float32
    greatest: np.ndarray  # float32


def statistics_of_training(many: Sequence[series.Series]) -> Statistics:
    """Computes statistics of the series' train parts together; an empty column has mean 0.

    Means and squares are joined block by block (Chan, Golub and LeVeque 1983), in float64.
    """
    width = many[0].values.shape[1]
    counts = np.zeros(width, np.int64)
    means, squares = np.zeros(width), np.zeros(width)
    least, greatest = np.full(width, np.inf), np.full(width, -np.inf)
    for one in many:
        for block in large_arrays.blocks(one.train_end, width):
            observed = np.asarray(one.observed[block])
            values = one.values[block].astype(np.float64)
            added = observed.sum(axis=0)
            mean = np.where(observed, values, 0).sum(axis=0) / np.maximum(added, 1)
            square = np.where(observed, (values - mean) ** 2, 0).sum(axis=0)
            total = np.maximum(counts + added, 1)
            change = mean - means
            squares += square + change**2 * counts * added / total
            means += change * added / total
            counts += added
            least = np.minimum(least, np.where(observed, values, np.inf).min(axis=0))
            greatest = np.maximum(greatest, np.where(observed, values, -np.inf).max(axis=0))
    deviation = np.sqrt(squares / np.maximum(counts, 1))
    known = counts > 0
    return Statistics(
        counts=counts,
        mean=np.where(known, means, 0).astype(np.float32),
        deviation=np.where(known & (least < greatest), deviation, 1).astype(np.float32),
        least=np.where(known, least, 0).astype(np.float32),
        greatest=np.where(known, greatest, 0).astype(np.float32),
    )


def check_statistics(collection: series.Collection, keep_constant: bool) -> Statistics:
    """Returns the statistics, and checks that all columns can be learned from.

    Raises:
        UserError: a column without a value in the train parts, or with only one unless
            `keep_constant`.
    """
    found = statistics_of_training(collection.series)
    for at, name in enumerate(collection.feature_names):
        if not found.counts[at]:
            raise errors.UserError(
                f"{collection.source}: column {name} has no value in the train part; "
                f"leave it out with --data_format.ignored_columns {name}"
            )
        if found.least[at] == found.greatest[at] and not keep_constant:
            raise errors.UserError(
                f"{collection.source}: column {name} is {found.least[at]:g} in the whole train "
                f"part; leave it out with --data_format.ignored_columns {name}, or keep it with "
                "--data_format.constant_columns keep"
            )
    return found


GapStates = dict[str, tf.Tensor]


def initial_gap_states(batch: int | tf.Tensor, features: int) -> GapStates:
    """Returns the zeros (batch, features) before the first step: last values, and known or not."""
    return {
        "last_values": tf.zeros((batch, features)),
        "last_known": tf.zeros((batch, features)),
    }


def fill_gaps(
    values: tf.Tensor, observed: tf.Tensor, mean: tf.Tensor, states: GapStates
) -> tuple[tf.Tensor, GapStates]:
    """Holds the last observed value of each channel until the next one.

    The model also reads which values were observed, and a value that was not has no residual.

    Args:
        values: float32 (batch, time, features); missing places are not used.
        observed: bool, of the same shape.
        mean: float32 (features,), to be held before the first observed value.
        states: of `initial_gap_states`, or of the last call.

    Returns:
        The values without gaps, and the new states.
    """
    before = tf.where(states["last_known"] > 0, states["last_values"], mean)
    # Each channel becomes a row whose first step, the value before, is known. In all rows after
    # each other, a known value and the missing ones after it are a segment.
    known = tf.transpose(tf.concat([before[:, None, :], values], axis=1), [0, 2, 1])
    is_known = tf.pad(observed, [[0, 0], [1, 0], [0, 0]], constant_values=True)
    is_known = tf.reshape(tf.transpose(is_known, [0, 2, 1]), [-1])
    segments = tf.cumsum(tf.cast(is_known, tf.int32)) - 1
    starts = tf.where(is_known, tf.reshape(known, [-1]), 0.0)
    held = tf.gather(tf.math.unsorted_segment_sum(starts, segments, tf.size(starts)), segments)
    filled = tf.transpose(tf.reshape(held, tf.shape(known)), [0, 2, 1])
    was_known = tf.cast(tf.reduce_any(observed, axis=1), tf.float32)
    new = {
        "last_values": filled[:, -1],
        "last_known": tf.maximum(states["last_known"], was_known),
    }
    return filled[:, 1:], new


def scaled(
    values: tf.Tensor, mean: tf.Tensor, deviation: tf.Tensor, clip_deviations: float
) -> tf.Tensor:
    """Returns (values - mean) / deviation, cut to ±clip_deviations; a missing value becomes 0.

    Args:
        values: float32 [..., features], NaN where missing.
        mean, deviation: float32 [features].
        clip_deviations: above 0.
    """
    found = (values - mean) / deviation
    found = tf.where(tf.math.is_nan(found), tf.zeros_like(found), found)
    return tf.clip_by_value(found, -clip_deviations, clip_deviations)


# Saved models of anomaly detection name the layer by this package
@keras.saving.register_keras_serializable(package="anomaly_detection")
class Scaling(keras.layers.Layer):
    """Scales by `scaled`, with mean and deviation as weights that are not trained: `fit` sets them.

    Args:
        clip_deviations: limit to which scaled values are cut.
        **options: those of `keras.layers.Layer`.

    Call arguments:
        values: float32 (…, features).
    """

    def __init__(self, clip_deviations: float, **options: Any) -> None:
        super().__init__(**options)
        self.clip_deviations = clip_deviations

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (input_shape[-1],)
        self.mean = self.add_weight(name="mean", shape=shape, initializer="zeros", trainable=False)
        self.deviation = self.add_weight(
            name="deviation", shape=shape, initializer="ones", trainable=False
        )

    def fit(self, mean: Any, deviation: Any) -> None:
        """Sets both, float32 (features,), from the train part; the deviations above 0."""
        self.mean.assign(mean)
        self.deviation.assign(deviation)

    def call(self, values: tf.Tensor) -> tf.Tensor:
        mean, deviation = (tf.convert_to_tensor(each) for each in (self.mean, self.deviation))
        return scaled(values, mean, deviation, self.clip_deviations)

    def uncut(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the scaled values without a cut: an extreme value keeps its extreme residual."""
        mean, deviation = (tf.convert_to_tensor(each) for each in (self.mean, self.deviation))
        return (values - mean) / deviation

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "clip_deviations": self.clip_deviations}
