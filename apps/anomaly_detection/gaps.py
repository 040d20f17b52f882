"""Missing values: what stands in for them at the input of a model."""

from __future__ import annotations

import tensorflow as tf


def fill(values: tf.Tensor, observed: tf.Tensor, before: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Holds the last observed value of each channel until the next one.

    The model reads, beside the values, which of them were observed, and one that was not has no
    residual: so nothing is made up without a word.

    Args:
        values: float32 (batch, time, features); what stands at missing places is not used.
        observed: bool, of the same shape.
        before: float32 (batch, features), to be held until the first observed value.

    Returns:
        The values without gaps, and the last of them, (batch, features), to be the `before` of
        what follows.
    """
    # Each channel becomes a row whose first step, the value before, is known. In all rows behind
    # each other, a known value and the missing ones after it are a segment.
    known = tf.transpose(tf.concat([before[:, None, :], values], axis=1), [0, 2, 1])
    is_known = tf.pad(observed, [[0, 0], [1, 0], [0, 0]], constant_values=True)
    is_known = tf.reshape(tf.transpose(is_known, [0, 2, 1]), [-1])
    segments = tf.cumsum(tf.cast(is_known, tf.int32)) - 1
    starts = tf.where(is_known, tf.reshape(known, [-1]), 0.0)
    held = tf.gather(tf.math.unsorted_segment_sum(starts, segments, tf.size(starts)), segments)
    filled = tf.transpose(tf.reshape(held, tf.shape(known)), [0, 2, 1])
    return filled[:, 1:], filled[:, -1]
