"""`GRUCell` and `GRU`."""

from __future__ import annotations

import functools
from typing import ClassVar

import keras
from keras import ops

from lstm_layers.attributes import reading
from lstm_layers.recurrences import implementations
from lstm_layers.recurrences.gru_step import Options, Step, Weights, factors, gru_step
from lstm_layers.recurrences.portable import product
from lstm_layers.recurrent_cell import RecurrentCell, Run
from lstm_layers.recurrent_layer import RecurrentLayer


@keras.saving.register_keras_serializable(package="lstm_layers")
class GRUCell(RecurrentCell):
    """One step of a gated recurrent unit; equations in `gru_step`.

    Weights, in this order: `kernel` W (features, 3 * units) and `recurrent_kernel` R (units,
    3 * units), gates in the order z, r, n; `bias` (2, 3 * units) for inputs and state where
    `reset_after`, else (3 * units,). Weights and results are those of `keras.layers.GRUCell`.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014.

    Args:
        units: size of h.
        reset_after: apply the reset gate after the product with R, not before.
        **options: those of `RecurrentCell`.

    Call arguments:
        inputs: (batch, features).
        states: [h'], (batch, units).
        training: whether dropout acts.

    Returns:
        h, and [h].

    Raises:
        ValueError: what `RecurrentCell` raises.
    """

    equations: ClassVar[str] = "gru"

    def __init__(self, units: int, reset_after: bool = True, **options):
        super().__init__(units, **options)
        self.reset_after = reset_after
        self.state_size = [units]

    def build(self, input_shape):
        gates = 3 * self.units
        self.kernel = self.add_cell_weight("kernel", (input_shape[-1], gates), "kernel")
        self.recurrent_kernel = self.add_cell_weight(
            "recurrent_kernel", (self.units, gates), "recurrent"
        )
        self.bias = None
        if self.use_bias:
            shape = (2, gates) if self.reset_after else (gates,)
            self.bias = self.add_cell_weight("bias", shape, "bias")

    @property
    def input_bias(self):
        return self.bias[0] if self.use_bias and self.reset_after else self.bias

    def _recurrent_bias(self):
        if not (self.use_bias and self.reset_after):
            return None
        return ops.cast(self.bias[1], self.state_dtype)

    def call(self, inputs, states, training=False):
        h_before = states[0] if isinstance(states, (list, tuple)) else states
        h_before = ops.cast(h_before, self.state_dtype)
        inputs, fed_back = self.dropped(inputs, h_before, training)
        a = ops.cast(self.input_products(inputs), self.state_dtype)
        h = ops.cast(self.step_values(a, fed_back, [h_before]).h, self.compute_dtype)
        return h, [h]

    def step_values(self, a, fed_back, state) -> Step:
        """Computes gates and state of one step, in the dtype of the state.

        Args:
            a: (batch, 3 * units), x W + b.
            fed_back: (batch, units), h' with recurrent dropout, if any.
            state: [h'], (batch, units).
        """
        options = Options(self.activation, self.recurrent_activation, self.reset_after)
        kernels = factors(self.recurrent_kernel, options)
        multiply = functools.partial(product, dtype=self.compute_dtype)
        return gru_step(a, state[0], fed_back, kernels, self._recurrent_bias(), options, multiply)

    def recurrence(self, run: Run) -> tuple:
        kernel, b = ops.cast(self.kernel, self.compute_dtype), self.input_bias
        b = None if b is None else ops.cast(b, self.compute_dtype)
        d, m = self._recurrent_bias(), run.recurrent_dropout_mask
        weights = Weights(kernel, run.recurrent_kernel, b, d, m)
        names = self.activation, self.recurrent_activation
        options = Options(*names, self.reset_after, run.unroll, run.training)
        return implementations.run(
            self.equations, run.implementation, run.inputs, run.mask, run.state, weights, options
        )

    def get_config(self):
        return {**super().get_config(), "reset_after": self.reset_after}


@reading("cell", ["reset_after"])
@keras.saving.register_keras_serializable(package="lstm_layers")
class GRU(RecurrentLayer):
    """Gated recurrent unit over (batch, time, features).

    `keras.layers.GRU` with weights that can be exchanged with it: see `GRUCell` for weights and
    source, `gru_step` for equations and gradient.

    Args:
        units: size of h.
        **options: those of `RecurrentLayer`, and the other ones of `GRUCell`.

    Call arguments, returned values, state [h] and masks: see `RecurrentLayer`.
    """

    def __init__(self, units: int, **options):
        super().__init__(GRUCell, {"units": units}, **options)
