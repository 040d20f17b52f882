"""What is left of each value of a stream when its reconstructions are taken away."""

from __future__ import annotations

import keras
import tensorflow as tf

from apps.anomaly_detection import gaps

States = dict[str, tf.Tensor]
_WINDOWS_A_CALL = 256  # bounds the memory


class WindowResiduals:
    """A network of `window_networks.build` over streams.

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
        self.scored = network.outputs[0].shape[-1]
        self.steps_behind = self.window - 1

    def initial_states(self, batch: int | tf.Tensor) -> States:
        """Those before the first step, zeros by name, (batch, …); float32 but `steps`, int32.

        What is kept of the last `steps_behind` steps: values without gaps, whether they were
        observed (0 or 1), sums of their reconstructions and how many there were; and how many steps
        there have been.
        """
        behind = self.steps_behind
        return {
            **gaps.initial_states(batch, self.features),
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
        """The next steps of each row, and the residuals that come out with them.

        Args:
            values: float32 (batch, time, features), in the units of the data.
            observed: bool, of the same shape.
            states: as `initial_states` or the last call returned them.
            present: bool (batch, time), false behind the end of a row; no window reaches there.

        Returns:
            Residuals float32 and whether they are valid, bool, both (batch, time, scored), of the
            steps `steps_behind` before: 0 where not valid; the new states.
        """
        mean = tf.convert_to_tensor(self.scaling.mean)
        filled, last = gaps.fill(values, observed, mean, states)
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
