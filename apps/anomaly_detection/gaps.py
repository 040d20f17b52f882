"""Missing values: what stands in for them at the input of a model."""

from __future__ import annotations

import tensorflow as tf

States = dict[str, tf.Tensor]


def initial_states(batch: int | tf.Tensor, features: int) -> States:
    """Zeros (batch, features), before the first step: last values, and whether there were any."""
    return {
        "last_values": tf.zeros((batch, features)),
        "last_known": tf.zeros((batch, features)),
    }


def fill(
    values: tf.Tensor, observed: tf.Tensor, mean: tf.Tensor, states: States
) -> tuple[tf.Tensor, States]:
    """Holds the last observed value of each channel until the next one.

    The model reads, beside the values, which of them were observed, and one that was not has no
    residual: so nothing is made up without a word.

    Args:
        values: float32 (batch, time, features); what stands at missing places is not used.
        observed: bool, of the same shape.
        mean: float32 (features,), to be held before the first observed value.
        states: as `initial_states` or the last call returned them.

    Returns:
        The values without gaps, and the new states.
    """
    before = tf.where(states["last_known"] > 0, states["last_values"], mean)
    # Each channel becomes a row whose first step, the value before, is known. In all rows behind
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
