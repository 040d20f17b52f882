"""Builds the networks: a direct decoder over patches, and an autoregressive one over steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf
from keras import ops

import lstm_layers
from apps.forecasting import config as configs
from apps.forecasting import data
from apps.forecasting import layout as layouts
from apps.suite.distribution import replicas
from apps.suite.networks import quantiles


def build(config: configs.Config, layout: layouts.Layout) -> keras.Model:
    """Builds the uncompiled network of one target of one series; see `direct`."""
    return direct(config, layout)


def direct(config: configs.Config, layout: layouts.Layout) -> keras.Model:
    """Builds the decoder of all steps at once (after SegRNN, Lin et al. 2023).

        h = recurrent(relu(W patch_1), …, relu(W patch_n)),  of the history's patches
        d_m = step(h, V ahead_m + e_m + series),  of each patch ahead by itself, from the same h
        [mean, quantiles]_t = head(relu(U d_{m,t} + A ahead_t)) + anchor_t [+ linear(z)_t]

    The anchor is the mean of the seasons before, or 0, the last value. The head begins at 0: a new
    network says what the anchor says.

    Args:
        config: sizes.
        layout: of the training data.

    Returns:
        A model of [context, ahead, series], float32 (batch, context, …), float32 (batch, horizon,
        …) and int32 (batch,) as `data.preprocess` makes them, to mean and quantiles of z
        float32 (batch, horizon, 1 + levels).
    """
    model, horizon = config.model, config.forecast.horizon_steps
    patch, units = model.patch_steps, model.units
    context_width, ahead_width = data.widths(layout, model)
    context = keras.Input((model.context_steps, context_width), name="context")
    ahead = keras.Input((horizon, ahead_width), name="ahead")
    series = keras.Input((), dtype="int32", name="series")
    dense, dropout = keras.layers.Dense, keras.layers.Dropout
    recurrent = lstm_layers.StackedLSTM(
        units, model.layer_count, cell=model.layer, dropout_between=model.dropout,
        return_state=True, name="recurrent",
    )  # fmt: skip
    count = model.context_steps // patch
    patches = ops.reshape(context, (-1, count, patch * context_width))
    read = dense(units, activation="relu", name="read")(patches)
    _, *states = recurrent(dropout(model.dropout, name="read_dropout")(read))
    ahead_count = -(-horizon // patch)
    padded = ops.pad(ahead, ((0, 0), (0, ahead_count * patch - horizon), (0, 0)))
    padded = ops.reshape(padded, (-1, ahead_count, patch * ahead_width))
    asked = Places(name="places")(dense(units, name="asked")(padded))
    if model.series_units:
        names = (len(layout.series_names) + 1) * len(layout.target_names)
        known = keras.layers.Embedding(names, model.series_units, name="series_embedding")(series)
        asked = asked + dense(units, name="series_asked")(known)[:, None]
    # Every patch ahead is decoded as a row of its own, from the state after the history
    rows = ops.reshape(asked, (-1, 1, units))
    after = [
        ops.reshape(ops.repeat(state[:, None], ahead_count, axis=1), (-1, state.shape[-1]))
        for state in states
    ]
    decoded, *_ = recurrent(rows, initial_state=after)
    decoded = dropout(model.dropout, name="decoded_dropout")(decoded)
    width = max(8, units // 2)
    said = dense(patch * width, name="said")(decoded)
    said = ops.reshape(said, (-1, ahead_count * patch, width))[:, :horizon]
    hidden = ops.relu(said + dense(width, name="ahead_said")(ahead))
    moved = ahead[:, :, :1]
    if model.linear:
        linear = dense(horizon, kernel_initializer="zeros", use_bias=False, name="linear")
        moved = moved + linear(context[:, :, 0])[:, :, None]
    return keras.Model([context, ahead, series], _head(config, hidden) + moved, name="direct")


def _head(config: configs.Config, hidden: keras.KerasTensor) -> keras.KerasTensor:
    """Returns mean and quantiles (batch, time, 1 + levels), which begin around 0."""
    head = quantiles.QuantileHead(config.forecast.levels, [0.0], [1.0], name="head")
    found = head(hidden)[:, :, 0]
    head.kernel.assign(ops.zeros_like(head.kernel))
    return found


@keras.saving.register_keras_serializable(package="forecasting")
class Places(keras.layers.Layer):
    """Adds a learned vector to each place, so that patches can be decoded side by side.

    Call arguments:
        values: float32 (batch, places, units).
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.vectors = self.add_weight(
            name="vectors", shape=input_shape[1:], initializer=keras.initializers.RandomNormal(0.02)
        )

    def call(self, values: tf.Tensor) -> tf.Tensor:
        return values + self.vectors


def loss(levels: Sequence[float]) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Returns the loss of a batch: the mean over all targets that are there of

        w² (y - mean)² / 4 + w / K Σ_k 2 max(a_k (y - q_k), (a_k - 1) (y - q_k))

    The weight w turns spreads of the window into units of the series; it is 0 for a missing target.
    At the median a term of the sum is the absolute error.
    """

    def of(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Compares targets (batch, horizon, 2), see `data.batches`, with the network's answer."""
        error = (y_true[..., :1] - y_pred) * y_true[..., 1:]
        a = tf.constant(levels, tf.float32)
        pinball = 2 * tf.maximum(a * error[..., 1:], (a - 1) * error[..., 1:])
        each = tf.reduce_mean(pinball, axis=-1) + error[..., 0] ** 2 / 4
        count = tf.reduce_sum(tf.cast(y_true[..., 1] > 0, tf.float32))
        return replicas.share(tf.reduce_sum(each), count)

    return of
