"""Builds the networks: a direct decoder over patches, and an autoregressive one over steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import ops

import lstm_layers
from apps.forecasting import closed_loop, data
from apps.forecasting import config as configs
from apps.suite.distribution import replicas
from apps.suite.networks import quantiles
from apps.suite.panels import layout as layouts


class Networks(NamedTuple):
    """A network as it learns, and as it is saved and asked; both have the same weights."""

    learner: keras.Model
    network: keras.Model


def build(config: configs.Config, layout: layouts.Layout) -> Networks:
    """Builds the uncompiled networks of one target of one series; see the two kinds."""
    if config.model.kind == "autoregressive":
        return autoregressive(config, layout)
    network = direct(config, layout)
    return Networks(network, network)


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
    head = _new_head(config)
    network = keras.Model([context, ahead, series], head(hidden)[:, :, 0] + moved, name="direct")
    _begin(head)
    return network


def autoregressive(config: configs.Config, layout: layouts.Layout) -> Networks:
    """Builds the network that goes on from its own last step (after Salinas et al. 2020).

        y_t, state_t = recurrent([relu(W x_t), series], state_{t-1})
        [mean, quantiles]_t = head(relu(U y_t + A x_t)) + a · (anchor_t, z_{t-1}, anchor_{t-1})

    x_t is what `data.fed` makes of a step. In open loop z_{t-1} is the truth, in closed loop what
    the network said. a begins as (1, 0, 0), or (0, 1, 0) without a season.

    Returns:
        The learner: a model of [steps, series], float32 (batch, time, …) and int32 (batch,), to
        mean and quantiles (batch, time, 1 + levels), from states of zeros. The network: the same
        of [steps, series, *states], with the states after it.
    """
    model = config.model
    (width,) = data.widths(layout, model)
    asked = width - 3 - len(layout.past_names)
    steps = keras.Input((None, width), name="steps")
    series = keras.Input((), dtype="int32", name="series")
    dense = keras.layers.Dense
    read = dense(model.units, activation="relu", name="read")(steps)
    if model.series_units:
        names = (len(layout.series_names) + 1) * len(layout.target_names)
        known = keras.layers.Embedding(names, model.series_units, name="series_embedding")(series)
        read = read + dense(model.units, name="series_read")(known)[:, None]
    recurrent = lstm_layers.StackedLSTM(
        model.units, model.layer_count, cell=model.layer, dropout_between=model.dropout,
        return_sequences=True, return_state=True, name="recurrent",
    )  # fmt: skip
    before = [
        keras.Input((size,), name=f"recurrent_{place}")
        for place, size in enumerate(recurrent.state_size)
    ]
    said, beside = dense(model.units, name="said"), dense(model.units, name="beside")(steps)
    dropout, head = keras.layers.Dropout(model.dropout, name="dropout"), _new_head(config)
    moved = dense(1, use_bias=False, name="moved")
    last = ops.concatenate([steps[:, :, :1], steps[:, :, asked : asked + 2]], axis=-1)

    def answer(outputs: keras.KerasTensor) -> keras.KerasTensor:
        hidden = ops.relu(said(dropout(outputs)) + beside)
        return head(hidden)[:, :, 0] + moved(last)

    learner = keras.Model([steps, series], answer(recurrent(read)[0]), name="learner")
    _begin(head)
    moved.kernel.assign([[1.0], [0.0], [0.0]] if layout.season else [[0.0], [1.0], [0.0]])
    outputs, *after = recurrent(read, initial_state=before)
    network = keras.Model([steps, series, *before], [answer(outputs), *after], name="steps")
    return Networks(learner, network)


def shared(config: configs.Config) -> int | None:
    """Returns the inputs that members read together; None = all, where there are no states."""
    return None if config.model.kind == "direct" else 2


def answer(
    network: keras.Model, found: dict[str, tf.Tensor], series: tf.Tensor, config: configs.Config
) -> tf.Tensor:
    """Returns mean and quantiles of z of the next steps, float32 (batch, horizon, 1 + levels).

    Args:
        network: that is saved.
        found: of `data.preprocess`.
        series: int32 (batch,).
        config: of the run.
    """
    if config.model.kind == "direct":
        return network([found["context"], found["ahead"], series], training=False)
    return closed_loop.forecast(network, found, series, config)


def _new_head(config: configs.Config) -> quantiles.QuantileHead:
    return quantiles.QuantileHead(config.forecast.levels, [0.0], [1.0], name="head")


def _begin(head: quantiles.QuantileHead) -> None:
    """Makes a new head say 0, with the same small steps between the quantiles everywhere."""
    head.kernel.assign(ops.zeros_like(head.kernel))


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
