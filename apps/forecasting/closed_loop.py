"""Draws steps from quantiles, and lets the autoregressive network go on from its own draws."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from apps.forecasting import config as configs
from apps.forecasting import data
from apps.suite.networks import quantiles


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
    marginal = quantiles.over(walked, config.forecast.levels)
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
        z = quantiles.drawn(said[:, 0, 1:], levels, shares[:, at])
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
