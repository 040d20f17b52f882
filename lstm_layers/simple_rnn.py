"""`SimpleRNNCell` and `SimpleRNN`, for comparison with the gated layers."""

from __future__ import annotations

import keras
from keras import ops

from lstm_layers.recurrences import activations
from lstm_layers.recurrences.portable import product, scan
from lstm_layers.recurrent_cell import RecurrentCell, Run
from lstm_layers.recurrent_layer import RecurrentLayer


@keras.saving.register_keras_serializable(package="lstm_layers")
class SimpleRNNCell(RecurrentCell):
    """One step of a recurrent network without gates: h = φ(x W + h' R + b).

    Weights, in this order: `kernel` W (features, units), `recurrent_kernel` R (units, units),
    `bias` b (units,). Weights and results are those of `keras.layers.SimpleRNNCell`.

    Source: Elman, "Finding structure in time", 1990.

    Args:
        units: size of h.
        **options: those of `RecurrentCell` except `recurrent_activation`.

    Call arguments:
        inputs: (batch, features).
        states: [h'], (batch, units).
        training: whether dropout acts.

    Returns:
        h, and [h].

    Raises:
        ValueError: `recurrent_activation`, and what `RecurrentCell` raises.
    """

    def __init__(self, units: int, **options):
        if "recurrent_activation" in options:
            raise ValueError("SimpleRNN has no gates, so it takes no recurrent_activation")
        super().__init__(units, **options)
        self.state_size = [units]

    def build(self, input_shape):
        self.kernel = self.add_cell_weight("kernel", (input_shape[-1], self.units), "kernel")
        self.recurrent_kernel = self.add_cell_weight(
            "recurrent_kernel", (self.units, self.units), "recurrent"
        )
        self.bias = self.add_cell_weight("bias", (self.units,), "bias") if self.use_bias else None
        self.input_bias = self.bias

    def call(self, inputs, states, training=False):
        h_before = states[0] if isinstance(states, (list, tuple)) else states
        inputs, fed_back = self.dropped(inputs, ops.cast(h_before, self.state_dtype), training)
        z = ops.cast(self.input_products(inputs), self.state_dtype)
        products = product(fed_back, self.recurrent_kernel, self.compute_dtype)
        h = ops.cast(self._phi(z + products), self.compute_dtype)
        return h, [h]

    def recurrence(self, run: Run) -> tuple:
        kernel = ops.cast(run.recurrent_kernel, self.state_dtype)

        def step(state, z, keep=None):
            (h,) = state
            fed_back = h if run.recurrent_dropout_mask is None else h * run.recurrent_dropout_mask
            products = product(fed_back, kernel, self.compute_dtype)
            new = self._phi(ops.cast(z, self.state_dtype) + products)
            return [new if keep is None else ops.where(keep[:, None], new, h)]

        z = self.input_products(run.inputs)
        sequences = [z] if run.mask is None else [z, run.mask]
        return scan(step, run.state, sequences, unroll=run.unroll)

    def _phi(self, values):
        return activations.ACTIVATIONS[self.activation].function(values)

    def get_config(self):
        config = super().get_config()
        del config["recurrent_activation"]
        return config


@keras.saving.register_keras_serializable(package="lstm_layers")
class SimpleRNN(RecurrentLayer):
    """Recurrent network without gates over (batch, time, features), for comparison.

    `keras.layers.SimpleRNN` with weights that can be exchanged with it: see `SimpleRNNCell`. The
    backend differentiates the loop.

    Args:
        units: size of h.
        **options: those of `RecurrentLayer`, and the other ones of `SimpleRNNCell`.

    Call arguments, returned values, state [h] and masks: see `RecurrentLayer`.
    """

    def __init__(self, units: int, **options):
        super().__init__(SimpleRNNCell, {"units": units}, **options)
