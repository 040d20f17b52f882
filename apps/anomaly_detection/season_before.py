"""What stood one season before the steps that a forecaster predicts, such as a week before."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="anomaly_detection")
class SeasonBefore(keras.layers.Layer):
    """Scaled values one season L before, of the step itself and of those that are predicted.

        z_{t,h} = x_{t+h-L},  k_{t,h} = p_{t+h-L}      h = 0 … horizon
        p_t = 1 where x_t was observed and |x_t - x_{t-L}| <= limit, or x_{t-L} was not; else 0

    What was far off itself is nothing to go by a season later: else each fault would have an echo.
    The L last steps are carried as a state; of zeros, it says that nothing is known of them.

    Args:
        season_steps: L, not less than the horizon.
        horizon_steps: how many steps are predicted.
        scored_count: the first so many channels are read.
        **options: those of `keras.layers.Layer`.

    Call arguments:
        inputs: [x, o, before], float32 (batch, time, features) twice and (batch, L, 3 scored): the
            scaled values, which of them were observed (0 or 1), and the state.

    Returns:
        [z, k, after], float32 (batch, time, horizon + 1, scored) twice, z 0 where k is; and the new
        state: x, o and p of the last L steps.
    """

    def __init__(
        self, season_steps: int, horizon_steps: int, scored_count: int, **options: Any
    ) -> None:
        super().__init__(**options)
        if season_steps < horizon_steps:
            raise ValueError(f"a season of {season_steps} steps is below the {horizon_steps} ahead")
        self.season_steps = season_steps
        self.horizon_steps = horizon_steps
        self.scored_count = scored_count

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        # Until `fit` nothing is too far off
        self.limit = self.add_weight(
            name="limit",
            shape=(self.scored_count,),
            initializer=keras.initializers.Constant(1e9),
            trainable=False,
        )

    def fit(self, limit: Any) -> None:
        """Sets the limit, float32 (scored,), above 0, in deviations of the train part."""
        self.limit.assign(limit)

    def call(self, inputs: list[Any]) -> tuple[Any, Any, Any]:
        ops = keras.ops
        x, o = (each[..., : self.scored_count] for each in inputs[:2])
        time = ops.shape(x)[1]
        x_before, o_before, p_before = ops.split(inputs[2], 3, axis=-1)
        x, o = ops.concatenate([x_before, x], axis=1), ops.concatenate([o_before, o], axis=1)
        # The steps of this call, and those a season before each of them
        apart = ops.abs(x[:, self.season_steps :] - x[:, :time])
        off = o[:, :time] * ops.cast(apart > self.limit, x.dtype)
        p = ops.concatenate([p_before, o[:, self.season_steps :] * (1 - off)], axis=1)
        ahead = range(self.horizon_steps + 1)
        z, k = (ops.stack([each[:, h : h + time] for h in ahead], axis=2) for each in (p * x, p))
        return z, k, ops.concatenate([x, o, p], axis=-1)[:, time:]

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple:
        shape = (*input_shape[0][:2], self.horizon_steps + 1, self.scored_count)
        return shape, shape, (input_shape[0][0], self.season_steps, 3 * self.scored_count)

    def get_config(self) -> dict[str, Any]:
        own = {
            "season_steps": self.season_steps,
            "horizon_steps": self.horizon_steps,
            "scored_count": self.scored_count,
        }
        return {**super().get_config(), **own}
