"""Computes residuals of a stream: values less their forecasts, or less their reconstructions."""

from __future__ import annotations

import keras
import tensorflow as tf

from apps.suite.tables import scaling

_WINDOWS_A_CALL = 256  # bounds the memory


class WindowResiduals:
    """Residuals of a network of `window_networks.build` over streams.

        residual_t = x_t - mean of its reconstructions in all windows that hold step t

    in deviations of the train part, x not cut. A window begins at every step of a stream whose
    number is a multiple of the stride. The last window that holds a step ends `steps_behind` steps
    after it, so it is then that its residual comes out.
    """

    def __init__(self, network: keras.Model, stride_steps: int) -> None:
        self.network = network
        self.scaling = network.get_layer("scaling")
        self.stride = stride_steps
        _, self.window, self.features = network.inputs[0].shape
        self.scored = self.errors = network.outputs[0].shape[-1]
        self.steps_behind = self.window - 1

    def initial_states(self, batch: int | tf.Tensor) -> States:
        """Returns the states before the first step, zeros (batch, …); float32, but `steps` int32.

        What is kept of the last `steps_behind` steps: values without gaps, whether they were
        observed (0 or 1), sums of their reconstructions and how many there were; and how many steps
        there have been.
        """
        behind = self.steps_behind
        return {
            **scaling.initial_gap_states(batch, self.features),
            "kept_values": tf.zeros((batch, behind, self.features)),
            "kept_observed": tf.zeros((batch, behind, self.features)),
            "written_sums": tf.zeros((batch, behind, self.scored)),
            "written_counts": tf.zeros((batch, behind)),
            "steps": tf.zeros((batch,), tf.int32),
        }

    def advance(
        self,
        values: tf.Tensor,
        observed: tf.Tensor,
        states: States,
        present: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, States]:
        """Reads the next steps of each row; returns the residuals that they complete.

        Args:
            values: float32 (batch, time, features), in the units of the data.
            observed: bool, of the same shape.
            states: as `initial_states` or the last call returned them.
            present: bool (batch, time), false after the end of a row; no window reaches there.

        Returns:
            Residuals float32 and whether they are valid, bool, both (batch, time, scored), of the
            steps `steps_behind` before: 0 where not valid; the new states.
        """
        mean = tf.convert_to_tensor(self.scaling.mean)
        filled, last = scaling.fill_gaps(values, observed, mean, states)
        time = tf.shape(values)[1]
        known = tf.concat([states["kept_values"], filled], axis=1)
        flags = tf.concat([states["kept_observed"], tf.cast(observed, tf.float32)], axis=1)
        sums = tf.pad(states["written_sums"], [[0, 0], [0, time], [0, 0]])
        counts = tf.pad(states["written_counts"], [[0, 0], [0, time]])
        number = states["steps"][:, None] - self.steps_behind + tf.range(time)
        begins = (number >= 0) & (number % self.stride == 0)
        if present is not None:
            begins &= present  # of the window's last step
        sums, counts = self._write(known, flags, sums, counts, begins)
        residuals, valid = self._compare(
            known[:, :time], flags[:, :time], sums[:, :time], counts[:, :time]
        )
        new = {
            **last,
            "kept_values": known[:, time:],
            "kept_observed": flags[:, time:],
            "written_sums": sums[:, time:],
            "written_counts": counts[:, time:],
            "steps": states["steps"] + time,
        }
        return residuals, valid, new

    def remaining(self, states: States) -> tuple[tf.Tensor, tf.Tensor]:
        """Residuals of the last `steps_behind` steps, should no more come."""
        names = ("kept_values", "kept_observed", "written_sums", "written_counts")
        return self._compare(*(states[name] for name in names))

    def _write(
        self,
        known: tf.Tensor,
        flags: tf.Tensor,
        sums: tf.Tensor,
        counts: tf.Tensor,
        begins: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Adds the reconstructions of the windows that begin where `begins`, bool (batch, time)."""
        places = tf.cast(tf.where(begins), tf.int32)

        def some(first: tf.Tensor, sums: tf.Tensor, counts: tf.Tensor) -> tuple:
            rows, starts = tf.unstack(places[first : first + _WINDOWS_A_CALL], axis=1)
            steps = starts[:, None] + tf.range(self.window)
            at = tf.stack([tf.broadcast_to(rows[:, None], tf.shape(steps)), steps], axis=-1)
            read = [tf.gather_nd(each, at) for each in (known, flags)]
            written = self.network(read, training=False)
            ones = tf.ones_like(written[..., 0])
            return (
                first + _WINDOWS_A_CALL,
                tf.tensor_scatter_nd_add(sums, at, written),
                tf.tensor_scatter_nd_add(counts, at, ones),
            )

        _, sums, counts = tf.while_loop(
            lambda first, *_: first < tf.shape(places)[0], some, (tf.constant(0), sums, counts)
        )
        return sums, counts

    def _compare(
        self, known: tf.Tensor, flags: tf.Tensor, sums: tf.Tensor, counts: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        valid = (flags[..., : self.scored] > 0) & (counts[..., None] > 0)
        written = tf.math.divide_no_nan(sums, counts[..., None])
        targets = self.scaling.uncut(known)[..., : self.scored]
        return tf.where(valid, targets - written, 0.0), valid


States = dict[str, tf.Tensor]


class ForecastResiduals:
    """Residuals of a `forecaster.build` over streams, its state carried from call to call.

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
        self.errors = self.scored
        self.features = network.inputs[0].shape[-1]

    def initial_states(self, batch: int | tf.Tensor) -> States:
        """Returns the states before the first step, zeros by name, float32 (batch, …)."""
        return {
            **scaling.initial_gap_states(batch, self.features),
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
        """Reads the next steps of each row.

        Args:
            values: float32 (batch, time, features), in the units of the data.
            observed: bool, of the same shape.
            states: as `initial_states` or the last call returned them.
            present: bool (batch, time), false after the end of a row; ignored here.

        Returns:
            Residuals float32 and whether they are valid, bool, both (batch, time, scored): 0 where
            not valid; the new states.
        """
        mean = tf.convert_to_tensor(self.scaling.mean)
        filled, last = scaling.fill_gaps(values, observed, mean, states)
        before = [states[state.name] for state in self._carried]
        flags = tf.cast(observed, tf.float32)
        predictions, *after = self.network([filled, flags, *before], training=False)

        # Sums over the chunk's steps and the `horizon` ones after it
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
