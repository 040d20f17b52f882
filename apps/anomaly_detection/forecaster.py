"""Builds the forecaster: a recurrent network that predicts each channel's next values."""

from __future__ import annotations

from typing import Any

import keras

import lstm_layers
from apps.anomaly_detection import config as configs
from apps.suite.tables import scaling, seasons


def build(config: configs.ModelConfig, feature_count: int, scored_count: int) -> keras.Model:
    """Builds the uncompiled network.

        x_t = scaled values,  o_t = 1 where observed, else 0
        z_t, k_t = values one season before and whether they are known, see `SeasonBefore`
        y_t, state_t = recurrent([x_t, o_t, z_{t,1}, k_{t,1}], state_{t-1})
        x̂_{t+h} = Outlook(y_t, x_t, z_t, k_t)_h,  h = 1 … horizon

    With a `config.season_steps` of 0 or None, z and k are left out.

    Args:
        config: kind and sizes.
        feature_count: channels that are read.
        scored_count: number of channels that are predicted, the first ones.

    Returns:
        A model of [values, observed, *states], float32 (batch, time, features) twice and (batch, …)
        each, to [predictions, *states]: (batch, time, horizon, scored) in deviations of the train
        part. Values are in the units of the data and without gaps (`scaling.fill_gaps`); states
        begin as zeros.
    """
    values = keras.Input((None, feature_count), name="values")
    observed = keras.Input((None, feature_count), name="observed")
    scaled = scaling.Scaling(config.clip_deviations, name="scaling")(values)
    recurrent = lstm_layers.StackedLSTM(
        config.units,
        config.layer_count,
        cell=config.layer,
        dropout_between=config.dropout,
        return_sequences=True,
        return_state=True,
        name="recurrent",
    )
    before = [
        keras.Input((size,), name=f"recurrent_{place}")
        for place, size in enumerate(recurrent.state_size)
    ]
    read, seen, carried, kept = [scaled, observed], [scaled], [], []
    if config.season_steps:
        season = keras.Input((config.season_steps, 3 * scored_count), name="season_before")
        repeated, known, season_after = seasons.SeasonBefore(
            config.season_steps, config.horizon_steps, scored_count, name="season"
        )([scaled, observed, season])
        read += [repeated[:, :, 1], known[:, :, 1]]
        seen += [repeated, known]
        carried, kept = [season], [season_after]
    outputs, *after = recurrent(keras.layers.Concatenate(name="read")(read), initial_state=before)
    outputs = keras.layers.Dropout(config.dropout, name="dropout")(outputs)
    outlook = Outlook(config.horizon_steps, scored_count, name="outlook")
    return keras.Model(
        [values, observed, *before, *carried],
        [outlook([outputs, *seen]), *after, *kept],
        name="forecaster",
    )


@keras.saving.register_keras_serializable(package="anomaly_detection")
class Outlook(keras.layers.Layer):
    """Predicts the first channels' next values: the present ones and the network's changes.

        x̂_{t+h} = s_h ⊙ x_t + W_h y_t + b_h
                  + r_h ⊙ k_{t,h} ⊙ (z_{t,h} - x_t) + q_h ⊙ k_{t,0} ⊙ (z_{t,0} - x_t)

    s and r begin at 1, the others at 0: a new network repeats the season before, or says that
    nothing changes where that is not known, and learns what else there is. With q = -1 it would
    repeat the season's change. Without a season the second line is not there.

    Args:
        horizon_steps: h = 1 … horizon_steps.
        scored_count: channels that are predicted.
        **options: those of `keras.layers.Layer`.

    Call arguments:
        inputs: [y, x], float32 (batch, time, units) and (batch, time, features); and of a season
            [z, k], (batch, time, horizon_steps + 1, scored_count).

    Returns:
        float32 (batch, time, horizon_steps, scored_count).
    """

    def __init__(self, horizon_steps: int, scored_count: int, **options: Any) -> None:
        super().__init__(**options)
        self.horizon_steps = horizon_steps
        self.scored_count = scored_count

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        size = (self.horizon_steps, self.scored_count)
        self.held = self.add_weight(name="held", shape=size, initializer="ones")
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[0][-1], size[0] * size[1]), initializer="zeros"
        )
        self.bias = self.add_weight(name="bias", shape=size, initializer="zeros")
        if len(input_shape) > 2:
            self.repeated = self.add_weight(name="repeated", shape=size, initializer="ones")
            self.returned = self.add_weight(name="returned", shape=size, initializer="zeros")

    def call(self, inputs: list[Any]) -> Any:
        outputs, scaled, *season = inputs
        batch, time = keras.ops.shape(outputs)[:2]
        size = (batch, time, self.horizon_steps, self.scored_count)
        change = keras.ops.reshape(keras.ops.matmul(outputs, self.kernel), size)
        now = scaled[:, :, None, : self.scored_count]
        predictions = change + self.bias + self.held * now
        if season:
            apart = season[1] * (season[0] - now)
            predictions += self.repeated * apart[:, :, 1:] + self.returned * apart[:, :, :1]
        return predictions

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        return (*input_shape[0][:2], self.horizon_steps, self.scored_count)

    def get_config(self) -> dict[str, Any]:
        own = {"horizon_steps": self.horizon_steps, "scored_count": self.scored_count}
        return {**super().get_config(), **own}
