"""What stood one season before the steps that a forecaster predicts, such as a week before."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="anomaly_detection")
class SeasonBefore(keras.layers.Layer):
    """Scaled values one season L before, of the step itself and of those that are predicted.

        z_{t,h} = x_{t+h-L},  k_{t,h} = 1 where that was observed, else 0      h = 0 … horizon

    The L last steps are carried as a state; of zeros, it says that nothing is known of them.

    Args:
        season_steps: L, not less than the horizon.
        horizon_steps: how many steps are predicted.
        scored_count: the first so many channels are read.
        **options: those of `keras.layers.Layer`.

    Call arguments:
        inputs: [x, o, before], float32 (batch, time, features) twice and (batch, L, 2 scored): the
            scaled values, which of them were observed (0 or 1), and the state.

    Returns:
        [z, k, after], float32 (batch, time, horizon + 1, scored) twice, z 0 where k is; and the new
        state.
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

    def call(self, inputs: list[Any]) -> tuple[Any, Any, Any]:
        scaled, observed, before = inputs
        scored = slice(0, self.scored_count)
        now = [observed[..., scored] * scaled[..., scored], observed[..., scored]]
        steps = keras.ops.concatenate([before, keras.ops.concatenate(now, axis=-1)], axis=1)
        time = keras.ops.shape(scaled)[1]
        found = keras.ops.stack(
            [steps[:, ahead : ahead + time] for ahead in range(self.horizon_steps + 1)], axis=2
        )
        return found[..., scored], found[..., self.scored_count :], steps[:, time:]

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple:
        shape = (*input_shape[0][:2], self.horizon_steps + 1, self.scored_count)
        return shape, shape, (input_shape[0][0], self.season_steps, 2 * self.scored_count)

    def get_config(self) -> dict[str, Any]:
        own = {
            "season_steps": self.season_steps,
            "horizon_steps": self.horizon_steps,
            "scored_count": self.scored_count,
        }
        return {**super().get_config(), **own}
