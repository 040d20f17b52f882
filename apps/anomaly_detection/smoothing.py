"""Exponential smoothing of a stream, for all its steps at once."""

from __future__ import annotations

import tensorflow as tf


def smooth(
    values: tf.Tensor, valid: tf.Tensor, reach_steps: float, before: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The weighted mean of all values so far, with weights that fall by 1 - 1 / reach a step.

        sum_t    = d sum_{t-1}    + value_t
        weight_t = d weight_{t-1} + 1           d = 1 - 1 / reach_steps
        smooth_t = sum_t / weight_t

    The first value is its own mean: there is no start from 0. Where a value is not valid, both stay
    as they are.

    Args:
        values: float32 (batch, time, channels).
        valid: bool, of the same shape.
        reach_steps: mean age of a value in the mean, and 1 more; 1 changes nothing.
        before: float32 (batch, 2, channels), sum and weight; zeros at the start of a stream.

    Returns:
        The smoothed values, 0 before the first valid one, and the `before` of what follows.
    """
    decay = 1.0 - 1.0 / reach_steps
    factors = tf.where(valid, decay, 1.0)[:, :, None, :]
    terms = tf.stack([tf.where(valid, values, 0.0), tf.cast(valid, values.dtype)], axis=2)
    sums = _recurrence(factors, terms, before)
    return tf.math.divide_no_nan(sums[:, :, 0], sums[:, :, 1]), _last(sums, before)


def _recurrence(factors: tf.Tensor, terms: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """y_t = factors_t y_{t-1} + terms_t along axis 1, in as many passes as time has binary digits.

    A pass joins each step's map with that of the step 1, 2, 4, … before it.
    """
    time = tf.shape(terms)[1]

    def join(reach: tf.Tensor, factors: tf.Tensor, terms: tf.Tensor) -> tuple:
        earlier = tf.pad(terms[:, :-reach], [[0, 0], [reach, 0], [0, 0], [0, 0]])
        terms += factors * earlier
        pad = [[0, 0], [reach, 0], [0, 0], [0, 0]]
        factors *= tf.pad(factors[:, :-reach], pad, constant_values=1.0)
        return 2 * reach, factors, terms

    free = tf.TensorShape([None, None, None, None])
    _, factors, terms = tf.while_loop(
        lambda reach, *_: reach < time,
        join,
        (tf.constant(1), factors, terms),
        shape_invariants=(tf.TensorShape([]), free, free),
    )
    return terms + factors * before[:, None]


def _last(sums: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """The state after the last step, that of before where there was no step."""
    return tf.concat([before[:, None], sums], axis=1)[:, -1]
