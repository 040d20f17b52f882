"""What is left of each value of a stream when what the forecaster said of it is taken away."""

from __future__ import annotations

import keras
import tensorflow as tf

from apps.anomaly_detection import gaps

States = dict[str, tf.Tensor]


class ForecastResiduals:
    """A forecaster (`forecaster.build`) over streams, its state carried from call to call.

        residual_t = x_t - mean of the predictions of x_t made 1 … horizon steps before

    in deviations of the train part, x not cut. In the first steps of a stream fewer predictions
    have been made. The first observed value of a channel has none but from the mean of the train
    part, and is not valid.
    """

    steps_behind = 0

    def __init__(self, network: keras.Model) -> None:
        self.network = network
        self.scaling = network.get_layer("scaling")
        self.horizon, self.scored = network.outputs[0].shape[-2:]
        self.features = network.inputs[0].shape[-1]

    def initial_states(self, batch: int | tf.Tensor) -> States:
        """Those before the first step, zeros by name, float32 (batch, …)."""
        return {
            **gaps.initial_states(batch, self.features),
            "predicted_sums": tf.zeros((batch, self.horizon, self.scored)),
            "predicted_counts": tf.zeros((batch, self.horizon)),
            **{state.name: tf.zeros((batch, *state.shape[1:])) for state in self._carried},
        }

    @property
    def _carried(self) -> list[keras.KerasTensor]:
        return self.network.inputs[2:]

    def advance(
        self,
        values: tf.Tensor,
        observed: tf.Tensor,
        states: States,
        present: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, States]:
        """The next steps of each row.

        Args:
            values: float32 (batch, time, features), in the units of the data.
            observed: bool, of the same shape.
            states: as `initial_states` or the last call returned them.
            present: bool (batch, time), false behind the end of a row: of no matter here.

        Returns:
            Residuals float32 and whether they are valid, bool, both (batch, time, scored): 0 where
            not valid; the new states.
        """
        mean = tf.convert_to_tensor(self.scaling.mean)
        filled, last = gaps.fill(values, observed, mean, states)
        before = [states[state.name] for state in self._carried]
        flags = tf.cast(observed, tf.float32)
        predictions, *after = self.network([filled, flags, *before], training=False)

        # Sums over the chunk's steps and the `horizon` ones behind it
        time = tf.shape(values)[1]
        sums = tf.pad(states["predicted_sums"], [[0, 0], [0, time], [0, 0]])
        counts = tf.pad(states["predicted_counts"], [[0, 0], [0, time]])
        ones = tf.ones_like(values[:, :, 0])
        for ahead in range(1, self.horizon + 1):
            room = [[0, 0], [ahead, self.horizon - ahead]]
            sums += tf.pad(predictions[:, :, ahead - 1], [*room, [0, 0]])
            counts += tf.pad(ones, room)
        scored = slice(0, self.scored)
        times_seen = tf.cumsum(flags, axis=1, exclusive=True) + states["last_known"][:, None]
        valid = (observed & (times_seen > 0))[..., scored] & (counts[:, :time, None] > 0)
        predicted = tf.math.divide_no_nan(sums[:, :time], counts[:, :time, None])
        targets = self.scaling.uncut(filled)[..., scored]
        new = {
            **last,
            "predicted_sums": sums[:, time:],
            "predicted_counts": counts[:, time:],
            **{state.name: value for state, value in zip(self._carried, after, strict=True)},
        }
        return tf.where(valid, targets - predicted, 0.0), valid, new

    def remaining(self, states: States) -> tuple[tf.Tensor, tf.Tensor]:
        """Residuals of the `steps_behind` steps that are still out: none here."""
        batch = tf.shape(states["last_values"])[0]
        empty = tf.zeros((batch, 0, self.scored))
        return empty, tf.cast(empty, tf.bool)
