"""Follows the level of a window by exponential smoothing, with half of its drift, as Theta does."""

from __future__ import annotations

import tensorflow as tf

_WEIGHTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0)
_FIRST = 6  # values before errors count: a level of fewer says little


def theta(values: tf.Tensor, observed: tf.Tensor, horizon: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the level of each window, and how far its course ahead lies from it.

        l_n = l_{n-1} + a / (1 - (1 - a)^n) (x_n - l_{n-1})            of the values that are there
        x_{n+h} = l_n + b / 2 (h - 1 + (1 - (1 - a)^n) / a)

    This is simple exponential smoothing with drift, which Theta (Assimakopoulos and Nikolopoulos
    2000) is (Hyndman and Billah 2003): b is the slope of the line of least squares, and a, of
    eleven weights, has the least square errors one step ahead in the window.

    Args:
        values, observed: float32 (batch, time), 0 where missing, and whether they are there.
        horizon: steps ahead.

    Returns:
        float32 (batch,) and (batch, horizon); without a slope of fewer than three values.
    """
    a = tf.constant(_WEIGHTS, tf.float32)
    counts = tf.cumsum(observed, axis=1)

    def follow(
        state: tuple[tf.Tensor, tf.Tensor], step: tuple[tf.Tensor, ...]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        (levels, squares), (x, is_there, count) = state, (each[:, None] for each in step)
        error = is_there * (x - levels)
        share = a / (1 - (1 - a) ** tf.maximum(count, 1.0))
        squares += tf.where(count > _FIRST, error**2, 0.0)
        return levels + share * error, squares

    zeros = tf.zeros([tf.shape(values)[0], len(_WEIGHTS)])
    steps = tuple(tf.transpose(each) for each in (values, observed, counts))
    levels, squares = tf.foldl(follow, steps, (zeros, zeros))
    best = tf.argmin(squares, axis=1)
    level = tf.gather(levels, best, batch_dims=1)
    weight = tf.gather(a, best)[:, None]
    count = tf.reduce_sum(observed, axis=1, keepdims=True)
    step = tf.range(float(values.shape[1]))[None]
    step -= tf.reduce_sum(observed * step, axis=1, keepdims=True) / tf.maximum(count, 1.0)
    slope = tf.reduce_sum(observed * step * values, axis=1, keepdims=True)
    slope = slope / tf.maximum(tf.reduce_sum(observed * step**2, axis=1, keepdims=True), 1e-6)
    slope = tf.where(count >= 3, slope, 0.0)
    ahead = tf.range(float(horizon))[None] + (1 - (1 - weight) ** count) / weight
    return level, slope / 2 * ahead
