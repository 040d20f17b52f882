"""Lets the autoregressive network go on from its own steps, on many paths at once."""

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
    paths, levels = config.model.path_count, config.forecast.levels
    _, states = primed(network, found, series)
    ahead, context = found["ahead"], found["context"]
    horizon, past = ahead.shape[1], context.shape[-1] - 2
    anchors = tf.concat([found["asked"][:, -horizon - 1 : -horizon, 0], ahead[:, :, 0]], axis=1)
    ahead, anchors, series = (tf.repeat(each, paths, axis=0) for each in (ahead, anchors, series))
    states = [tf.repeat(each, paths, axis=0) for each in states]
    z = tf.repeat(context[:, -1, 0], paths)
    observed = tf.repeat(context[:, -1, 1], paths)
    measured = tf.repeat(context[:, -1, 2:], paths, axis=0)
    drawn = tf.constant(draws(paths, horizon))
    steps = tf.TensorArray(tf.float32, horizon, element_shape=[None])

    def more(at: tf.Tensor, z: tf.Tensor, observed: tf.Tensor, measured: tf.Tensor,
             steps: tf.TensorArray, *states: tf.Tensor) -> tuple:  # fmt: skip
        step = data.fed(
            ahead[:, at : at + 1], z[:, None], observed[:, None], anchors[:, at : at + 1],
            measured[:, None],
        )  # fmt: skip
        said, *after = network([step, series, *states], training=False)
        share = tf.tile(drawn[at], [tf.shape(said)[0] // paths])
        z = at_levels(said[:, 0, 1:], levels, share)
        return (at + 1, z, tf.ones_like(z), tf.zeros_like(measured), steps.write(at, z), *after)

    free = [tf.TensorShape([None])] * 2 + [tf.TensorShape([None, past])]
    begin = (tf.constant(0), z, observed, measured, steps, *states)
    shapes = (
        tf.TensorShape([]), *free, tf.TensorShape(None),
        *(tf.TensorShape([None, each.shape[-1]]) for each in states),
    )  # fmt: skip
    ended = tf.while_loop(lambda at, *_: at < horizon, more, begin, shape_invariants=shapes)
    walked = tf.reshape(tf.transpose(ended[4].stack()), [-1, paths, horizon])
    walked = tf.sort(walked, axis=1)
    place = np.array(levels) * paths - 0.5
    low = np.clip(np.floor(place), 0, paths - 1).astype(np.int32)
    high = np.minimum(low + 1, paths - 1)
    share = tf.constant(np.clip(place - low, 0, 1), tf.float32)[None, :, None]
    marginal = (1 - share) * tf.gather(walked, low, axis=1) + share * tf.gather(
        walked, high, axis=1
    )
    whole = tf.concat([tf.reduce_mean(walked, axis=1, keepdims=True), marginal], axis=1)
    return tf.transpose(whole, [0, 2, 1])


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
