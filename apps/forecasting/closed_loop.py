"""Draws steps from quantiles, and lets the autoregressive network go on from its own draws."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from apps.forecasting import config as configs
from apps.forecasting import data


def forecast(
    network: keras.Model, found: dict[str, tf.Tensor], series: tf.Tensor, config: configs.Config
) -> tf.Tensor:
    """Returns mean and quantiles of z over the paths, float32 (batch, horizon, 1 + levels).

    The state is primed on the history with the truth fed back. Each path then draws a step from
    the quantiles that the network says, and is fed its own draw. The draws are the same for every
    row and every call: an answer depends on its own row alone.

    Args:
        network: `network` of `model.autoregressive`.
        found: of `data.preprocess`.
        series: int32 (batch,).
        config: of the run.
    """
    paths = config.model.path_count
    batch, horizon = tf.shape(found["ahead"])[0], found["ahead"].shape[1]
    shares = tf.tile(tf.constant(draws(paths, horizon).T), [batch, 1])
    z, _ = walk(network, found, series, shares, config)
    walked = tf.reshape(z, [-1, paths, horizon])
    marginal = quantiles_of(walked, config.forecast.levels)
    whole = tf.concat([tf.reduce_mean(walked, axis=1, keepdims=True), marginal], axis=1)
    return tf.transpose(whole, [0, 2, 1])


def walk(
    network: keras.Model,
    found: dict[str, tf.Tensor],
    series: tf.Tensor,
    shares: tf.Tensor,
    config: configs.Config,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns paths that the network draws and follows, and what it says along them.

    Args:
        network, found, series, config: as of `forecast`.
        shares: float32 (batch · paths, horizon), the level that each path draws at each step.

    Returns:
        z float32 (batch · paths, horizon), and mean and quantiles of z (…, 1 + levels).
    """
    levels = config.forecast.levels
    _, states = primed(network, found, series)
    ahead, context = found["ahead"], found["context"]
    paths = tf.shape(shares)[0] // tf.maximum(tf.shape(ahead)[0], 1)
    horizon, past = ahead.shape[1], context.shape[-1] - 2
    anchors = tf.concat([found["asked"][:, -horizon - 1 : -horizon, 0], ahead[:, :, 0]], axis=1)
    ahead, anchors, series = (tf.repeat(each, paths, axis=0) for each in (ahead, anchors, series))
    states = [tf.repeat(each, paths, axis=0) for each in states]
    z = tf.repeat(context[:, -1, 0], paths)
    observed = tf.repeat(context[:, -1, 1], paths)
    measured = tf.repeat(context[:, -1, 2:], paths, axis=0)
    steps = tf.TensorArray(tf.float32, horizon, element_shape=[None])
    told = tf.TensorArray(tf.float32, horizon, element_shape=[None, 1 + len(levels)])

    def more(at: tf.Tensor, z: tf.Tensor, observed: tf.Tensor, measured: tf.Tensor,
             steps: tf.TensorArray, told: tf.TensorArray, *states: tf.Tensor) -> tuple:  # fmt: skip
        step = data.fed(
            ahead[:, at : at + 1], z[:, None], observed[:, None], anchors[:, at : at + 1],
            measured[:, None],
        )  # fmt: skip
        said, *after = network([step, series, *states], training=False)
        z = at_levels(said[:, 0, 1:], levels, shares[:, at])
        return (
            at + 1, z, tf.ones_like(z), tf.zeros_like(measured), steps.write(at, z),
            told.write(at, said[:, 0]), *after,
        )  # fmt: skip

    free = [tf.TensorShape([None])] * 2 + [tf.TensorShape([None, past])]
    begin = (tf.constant(0), z, observed, measured, steps, told, *states)
    shapes = (
        tf.TensorShape([]), *free, tf.TensorShape(None), tf.TensorShape(None),
        *(tf.TensorShape([None, each.shape[-1]]) for each in states),
    )  # fmt: skip
    ended = tf.while_loop(lambda at, *_: at < horizon, more, begin, shape_invariants=shapes)
    z = tf.ensure_shape(tf.transpose(ended[4].stack()), [None, horizon])
    return z, tf.transpose(ended[5].stack(), [1, 0, 2])


def primed(
    network: keras.Model, found: dict[str, tf.Tensor], series: tf.Tensor
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Returns what the network says of each step of the history in open loop, and its states.

    Shapes are (batch, context - 1, 1 + levels), of the steps after the first, and (batch, …).
    """
    context = found["context"]
    length = context.shape[1]
    asked = found["asked"][:, : length - 1]
    before = tf.pad(asked[:, :-1, 0], [[0, 0], [1, 0]])
    steps = data.fed(asked, context[:, :-1, 0], context[:, :-1, 1], before, context[:, :-1, 2:])
    zeros = [tf.zeros((tf.shape(context)[0], each.shape[-1])) for each in network.inputs[2:]]
    said, *states = network([steps, series, *zeros], training=False)
    return said, states


def draws(paths: int, steps: int) -> np.ndarray:
    """Returns float32 [steps, paths] from 0 to 1: in each step one of `paths` equal shares each."""
    random = np.random.default_rng(0)
    shares = np.tile((np.arange(paths) + 0.5) / paths, (steps, 1))
    return random.permuted(shares, axis=1).astype(np.float32)


def at_levels(quantiles: tf.Tensor, levels: tuple[float, ...], share: tf.Tensor) -> tf.Tensor:
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


def quantiles_of(drawn: tf.Tensor, levels: tuple[float, ...]) -> tf.Tensor:
    """Returns the quantiles of what was drawn, float32 (batch, levels, time).

    Args:
        drawn: float32 (batch, draws, time), of a known number of draws.
        levels: of the quantiles.
    """
    ordered, count = tf.sort(drawn, axis=1), drawn.shape[1]
    place = np.array(levels) * count - 0.5
    low = np.clip(np.floor(place), 0, count - 1).astype(np.int32)
    high = np.minimum(low + 1, count - 1)
    share = tf.constant(np.clip(place - low, 0, 1), tf.float32)[None, :, None]
    first, last = (tf.gather(ordered, each, axis=1) for each in (low, high))
    return (1 - share) * first + share * last


def spread_evenly(quantiles: tf.Tensor, levels: tuple[float, ...], count: int) -> tf.Tensor:
    """Returns `count` values that stand for quantiles (…, levels), one for each equal share."""
    shares = (np.arange(count) + 0.5) / count
    low = np.clip(np.searchsorted(levels, shares) - 1, 0, len(levels) - 2)
    start, end = (np.array(levels)[each] for each in (low, low + 1))
    weights = np.zeros((len(levels), count), np.float32)
    weights[low + 1, np.arange(count)] = (shares - start) / (end - start)
    weights[low, np.arange(count)] += 1 - (shares - start) / (end - start)
    return tf.tensordot(quantiles, tf.constant(weights), 1)


def levels_of(values: np.ndarray, quantiles: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Returns the level at which each value lies among its quantiles; undoes `at_levels`.

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
