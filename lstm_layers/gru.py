"""`GRUCell` and `GRU`."""

from __future__ import annotations

from typing import ClassVar

import keras
from keras import ops

from lstm_layers.recurrences import gru_portable
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

    implementations: ClassVar[tuple[str, ...]] = ("graph", "xla")

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
        h = gru_portable.gru_step(
            ops.cast(self.input_products(inputs), self.state_dtype),
            h_before,
            fed_back,
            self.recurrent_kernel,
            self._recurrent_bias(),
            self._options(),
            self.compute_dtype,
        )
        h = ops.cast(h, self.compute_dtype)
        return h, [h]

    def recurrence(self, run: Run) -> tuple:
        d, options = self._recurrent_bias(), self._options()
        (h_0,), masks = run.state, (run.mask, run.recurrent_dropout_mask)
        if run.implementation == "xla":
            from lstm_layers.recurrences import gru_step, gru_xla  # these are TensorFlow's alone

            kernel = ops.cast(self.kernel, self.compute_dtype)
            b = self.input_bias
            b = None if b is None else ops.cast(b, self.compute_dtype)
            weights = gru_xla.Weights(kernel, run.recurrent_kernel, b, d)
            given = run.inputs, weights, h_0, *masks, gru_step.Options(*options)
            h, h_last = gru_xla.gru(*given, keep=run.training)
            return h, (h_last,)
        a = self.input_products(run.inputs)
        if run.implementation == "portable":
            h, h_last = gru_portable.gru(
                a, run.recurrent_kernel, d, h_0, *masks, options, run.unroll
            )
        else:
            from lstm_layers.recurrences import gru_graph, gru_step

            h, h_last = gru_graph.gru(
                a, run.recurrent_kernel, d, h_0, *masks, gru_step.Options(*options, run.unroll)
            )
        return h, (h_last,)

    def _options(self) -> gru_portable.Options:
        return gru_portable.Options(self.activation, self.recurrent_activation, self.reset_after)

    def get_config(self):
        return {**super().get_config(), "reset_after": self.reset_after}


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
