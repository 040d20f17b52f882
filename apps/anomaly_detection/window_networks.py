"""Builds networks that read a window of steps and reconstruct it from their memory of it."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

import lstm_layers
from apps.anomaly_detection import config as configs
from apps.suite.tables import scaling


def build(config: configs.ModelConfig, feature_count: int, scored_count: int) -> keras.Model:
    """Builds the uncompiled network of `config.kind`, "encoder_decoder" or "autoencoder".

    encoder_decoder (Malhotra et al., "LSTM-based encoder-decoder for multi-sensor anomaly
    detection", 2016, section 2): the decoder starts from the encoder's last states and writes the
    window backwards, see `BackwardDecoder`.

    autoencoder: the encoder's last output is squeezed into `code_units` numbers, which a second
    recurrent network reads anew at every step to write the window forwards.

    Args:
        config: kind and sizes.
        feature_count: channels that are read.
        scored_count: number of channels that are reconstructed, the first ones.

    Returns:
        A model of [values, observed], float32 (batch, window, features) each, to their
        reconstruction (batch, window, scored) in deviations of the train part. Values are in the
        units of the data and without gaps (`scaling.fill_gaps`).
    """
    values = keras.Input((config.window_steps, feature_count), name="values")
    observed = keras.Input((config.window_steps, feature_count), name="observed")
    scaled = scaling.Scaling(config.clip_deviations, name="scaling")(values)
    read = keras.layers.Concatenate(name="read")([scaled, observed])
    encoder = _recurrent(config, "encoder", return_state=True)
    last, *states = encoder(read)
    if config.kind == "encoder_decoder":
        decoder = BackwardDecoder(
            config.units, config.layer_count, config.layer, scored_count, name="decoder"
        )
        written = decoder([scaled, last, *states])
    else:
        code = keras.layers.Dense(config.code_units, activation="tanh", name="code")(last)
        repeated = keras.layers.RepeatVector(config.window_steps, name="repeated")(code)
        outputs = _recurrent(config, "decoder", return_sequences=True)(repeated)
        outputs = keras.layers.Dropout(config.dropout, name="dropout")(outputs)
        written = keras.layers.Dense(scored_count, name="written")(outputs)
    return keras.Model([values, observed], written, name=config.kind)


@keras.saving.register_keras_serializable(package="anomaly_detection")
class BackwardDecoder(keras.layers.Layer):
    """Writes a window from its last step to its first, one step from the other.

        x̂_T = W y_T + b                   y_T, state_T: those of the encoder
        y_{t-1}, state_{t-1} = recurrent(z_t, state_t)
        x̂_{t-1} = W y_{t-1} + b

    z_t is the true x_t in training, and x̂_t otherwise.

    Args:
        units, depth, cell: of the recurrent layers, which must be those of the encoder.
        scored_count: channels that are written; of x these are the first.
        **options: those of `keras.layers.Layer`.

    Call arguments:
        inputs: [x, y_T, *states], float32 (batch, window, features), (batch, units) each. The
            window's length must be static.
        training: whether z is x.

    Returns:
        x̂, float32 (batch, window, scored_count), in the order of x.
    """

    def __init__(
        self, units: int, depth: int, cell: str, scored_count: int, **options: Any
    ) -> None:
        super().__init__(**options)
        self.units = units
        self.depth = depth
        self.kind = cell
        self.scored_count = scored_count
        self.recurrent = lstm_layers.StackedLSTM(
            units, depth, cell=cell, return_sequences=True, name="recurrent"
        )
        self.written = keras.layers.Dense(scored_count, name="written")

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        self.recurrent.build((*input_shape[0][:2], self.scored_count))
        self.written.build((None, self.units))

    def call(self, inputs: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        x, last, *states = inputs
        first = self.written(last)
        if training:
            backwards = tf.reverse(x[:, 1:, : self.scored_count], axis=[1])
            rest = self.written(self.recurrent(backwards, initial_state=states, training=True))
            return tf.reverse(tf.concat([first[:, None], rest], axis=1), axis=[1])

        steps = x.shape[1]
        written = tf.TensorArray(tf.float32, steps, element_shape=first.shape)

        def write(step: tf.Tensor, now: tf.Tensor, states: list, written: tf.TensorArray) -> tuple:
            outputs, states = self.recurrent.step(now, states)
            now = self.written(outputs)
            return step - 1, now, states, written.write(step - 1, now)

        _, _, _, written = tf.while_loop(
            lambda step, *_: step > 0,
            write,
            (tf.constant(steps - 1), first, states, written.write(steps - 1, first)),
            maximum_iterations=steps - 1,
        )
        return tf.transpose(written.stack(), [1, 0, 2])

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        return (*input_shape[0][:2], self.scored_count)

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "depth": self.depth, "cell": self.kind}
        return {**super().get_config(), **own, "scored_count": self.scored_count}


def _recurrent(config: configs.ModelConfig, name: str, **options: Any) -> lstm_layers.StackedLSTM:
    return lstm_layers.StackedLSTM(
        config.units,
        config.layer_count,
        cell=config.layer,
        dropout_between=config.dropout,
        name=name,
        **options,
    )
