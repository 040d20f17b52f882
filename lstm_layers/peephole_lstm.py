"""`PeepholeLSTMCell` and `PeepholeLSTM`."""

from __future__ import annotations

from typing import ClassVar

import keras
from keras import ops

from lstm_layers.attributes import reading
from lstm_layers.recurrences import implementations
from lstm_layers.recurrences.lstm_step import Options, Peepholes, Step, Weights, lstm_step
from lstm_layers.recurrences.portable import product
from lstm_layers.recurrent_cell import RecurrentCell, Run, options_of_weights
from lstm_layers.recurrent_layer import RecurrentLayer

# Weights by gate letter, in the order in which they are made.
_PEEPHOLES = {"i": "input_peephole", "f": "forget_peephole", "o": "output_peephole"}


@keras.saving.register_keras_serializable(package="lstm_layers")
class PeepholeLSTMCell(RecurrentCell):
    """One step of an LSTM whose gates see the cell state.

        i = σ(x W_i + h' R_i + p_i ⊙ c' + b_i)
        f = σ(x W_f + h' R_f + p_f ⊙ c' + b_f)
        g = φ(x W_g + h' R_g + b_g)
        c = f ⊙ c' + i ⊙ g
        o = σ(x W_o + h' R_o + p_o ⊙ c + b_o)        (the new c)
        h = o ⊙ φ(c)

    Weights, in this order: `kernel` W (features, 4 * units) and `recurrent_kernel` R (units,
    4 * units), gates in the order i, f, g, o; `bias` b (4 * units,); then `input_peephole`,
    `forget_peephole` and `output_peephole`, each (units,), as far as `peepholes` names them. With
    `peepholes=""` weights and results are those of `keras.layers.LSTMCell`.

    Source: Gers, Schraudolph and Schmidhuber, "Learning precise timing with LSTM recurrent
    networks", 2002, section 2.

    Args:
        units: size of h and c.
        peepholes: the gates that see the cell state, letters of "ifo", or "" for none.
        unit_forget_bias: start b_f at one (Jozefowicz et al. 2015, section 5).
        **options: those of `RecurrentCell`. The peepholes' initializer is zeros, so that a new
            layer starts as a plain LSTM.

    Call arguments:
        inputs: (batch, features).
        states: [h', c'], each (batch, units).
        training: whether dropout acts.

    Returns:
        h, and [h, c].

    Raises:
        ValueError: an unknown gate letter, and what `RecurrentCell` raises.
    """

    equations: ClassVar[str] = "lstm"
    initializers: ClassVar[dict[str, str]] = {**RecurrentCell.initializers, "peephole": "zeros"}

    def __init__(
        self, units: int, peepholes: str = "ifo", unit_forget_bias: bool = True, **options
    ):
        super().__init__(units, **options)
        if set(peepholes) - set("ifo") or len(set(peepholes)) < len(peepholes):
            raise ValueError(
                f'peepholes must be letters of "ifo", each at most once: {peepholes!r}'
            )
        self.peepholes = peepholes
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [units, units]

    def build(self, input_shape):
        gates = 4 * self.units
        self.kernel = self.add_cell_weight("kernel", (input_shape[-1], gates), "kernel")
        self.recurrent_kernel = self.add_cell_weight(
            "recurrent_kernel", (self.units, gates), "recurrent"
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_cell_weight("bias", (gates,), "bias", self._initial_bias)
        self.input_bias = self.bias
        for gate, name in _PEEPHOLES.items():
            weight = None
            if gate in self.peepholes:
                # Not cast to 16 bits: multiplied with a large c, its last bits decide.
                weight = self.add_cell_weight(name, (self.units,), "peephole", autocast=False)
            setattr(self, name, weight)

    def _initial_bias(self, shape, dtype=None):
        bias = self.initial("bias")(shape, dtype=dtype)
        if not self.unit_forget_bias:
            return bias
        b_i, b_f, b_g, b_o = ops.split(bias, 4)
        return ops.concatenate([b_i, ops.ones_like(b_f), b_g, b_o], axis=0)

    def call(self, inputs, states, training=False):
        state = [ops.cast(each, self.state_dtype) for each in states]
        inputs, fed_back = self.dropped(inputs, state[0], training)
        z = ops.cast(self.input_products(inputs), self.state_dtype)
        new = self.step_values(z, fed_back, state)
        h, c = ops.cast(new.h, self.compute_dtype), ops.cast(new.c, self.compute_dtype)
        return h, [h, c]

    def step_values(self, z, fed_back, state) -> Step:
        """Computes gates and states of one step, in the dtype of the states.

        Args:
            z: (batch, 4 * units), x W + b.
            fed_back: (batch, units), h' with recurrent dropout, if any.
            state: [h', c'], each (batch, units).
        """
        products = z + product(fed_back, self.recurrent_kernel, self.compute_dtype)
        options = Options(self.activation, self.recurrent_activation)
        return lstm_step(products, state[1], Peepholes(*self._peepholes()), options)

    def recurrence(self, run: Run) -> tuple:
        kernel = ops.cast(self.kernel, self.compute_dtype)
        bias = None if self.bias is None else ops.cast(self.bias, self.compute_dtype)
        p_i, p_f, p_o = self._peepholes()
        m = run.recurrent_dropout_mask
        weights = Weights(kernel, run.recurrent_kernel, bias, p_i, p_f, p_o, m)
        options = Options(self.activation, self.recurrent_activation, run.unroll, run.training)
        return implementations.run(
            self.equations, run.implementation, run.inputs, run.mask, run.state, weights, options
        )

    def _peepholes(self) -> list:
        weights = (getattr(self, name) for name in _PEEPHOLES.values())
        return [None if each is None else ops.cast(each, self.state_dtype) for each in weights]

    def get_config(self):
        config = {"peepholes": self.peepholes, "unit_forget_bias": self.unit_forget_bias}
        return {**super().get_config(), **config}


@reading("cell", ["peepholes", "unit_forget_bias", *options_of_weights(PeepholeLSTMCell)])
@keras.saving.register_keras_serializable(package="lstm_layers")
class PeepholeLSTM(RecurrentLayer):
    """LSTM with peephole connections over (batch, time, features).

    `keras.layers.LSTM` with three more vectors: see `PeepholeLSTMCell` for equations, weights and
    source, `lstm_step` for the gradient, and `RecurrentLayer` for masks.

    Args:
        units: size of h and c.
        peepholes: the gates that see the cell state, letters of "ifo", or "" for a plain LSTM.
        **options: those of `RecurrentLayer`, and the other ones of `PeepholeLSTMCell`.

    Call arguments, returned values, states [h, c] and masks: see `RecurrentLayer`.
    """

    def __init__(self, units: int, peepholes: str = "ifo", **options):
        super().__init__(PeepholeLSTMCell, {"units": units, "peepholes": peepholes}, **options)
