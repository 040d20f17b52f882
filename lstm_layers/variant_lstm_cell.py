"""`VariantLSTMCell`: weights and options of every LSTM variant."""

from __future__ import annotations

import dataclasses
import functools
from typing import ClassVar

import keras
from keras import ops

from lstm_layers.recurrences import activations
from lstm_layers.recurrences.portable import product, scan
from lstm_layers.recurrent_cell import RecurrentCell, Run
from lstm_layers.variant_equations import Functions, Weights, Zoned, normalized, variant_step
from lstm_layers.variant_options import FIELDS, Variant

_GATES = {"i": "input", "f": "forget", "o": "output"}


@keras.saving.register_keras_serializable(package="lstm_layers")
class VariantLSTMCell(RecurrentCell):
    """One step of an LSTM of any variant; equations in `variant_equations`.

    Weights, in this order, those that the options ask for, with k parts i, f, g, o less the gates
    that are not computed:

        kernel W                        (features, k * units)
        recurrent_kernel R              (output size, k * units)
        bias b                          (k * units,)
        input_, forget_, output_peephole p   (units,) each
        gate_kernel G                   (gates * units, gates * units), from i', f', o' to i, f, o
        input_gain, recurrent_gain γ    (k * units,) each
        cell_gain γ, cell_shift β       (units,) each
        projection_kernel P             (units, projection_units)

    States: h, c; with `full_gate_recurrence` then the gates that are computed, of i, f, o.

    Args:
        units: size of c and of the gates.
        unit_forget_bias: start b_f, where there is one, at one (Jozefowicz et al. 2015, section 5).
        **options: the attributes of `Variant`, those of `RecurrentCell`, and initializer,
            regularizer and constraint for `peephole`, `projection`, `gain` and `shift`; those of
            `recurrent` are G's as well.

    Call arguments:
        inputs: (batch, features).
        states: list as above, each (batch, its size).
        training: whether dropout and zoneout act. (`keras.layers.RNN` over this cell cannot train
            with zoneout on JAX, where nothing may be drawn inside the loop; `VariantLSTM` can.)

    Returns:
        h, and the new states.

    Raises:
        ValueError: what `Variant` and `RecurrentCell` raise.
    """

    initializers: ClassVar[dict[str, str]] = {
        **RecurrentCell.initializers,
        "peephole": "zeros",
        "projection": "glorot_uniform",
        "gain": "ones",
        "shift": "zeros",
    }

    def __init__(self, units: int, unit_forget_bias: bool = True, **options):
        given = {name: options.pop(name) for name in sorted(FIELDS & options.keys())}
        super().__init__(units, **options)
        for name in ("input_activation", "output_activation"):
            if given.get(name) is not None:
                given[name] = activations.name_of(given[name])
        self.variant = Variant(**given)
        self.unit_forget_bias = unit_forget_bias
        self.output_size = self.variant.projection_units or units
        self.state_size = [self.output_size, units, *[units] * self.variant.gate_states]

    def build(self, input_shape):
        variant, units = self.variant, self.units
        rows, columns = input_shape[-1], len(variant.parts) * units
        gates = len(variant.computed) * units
        self.kernel = self.add_cell_weight("kernel", (rows, columns), "kernel")
        self.recurrent_kernel = self.add_cell_weight(
            "recurrent_kernel", (self.output_size, columns), "recurrent"
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_cell_weight("bias", (columns,), "bias", self._initial_bias)
        for gate, name in _GATES.items():
            shape = (units,) if gate in variant.peepholes else None
            self._add(f"{name}_peephole", shape, "peephole")
        self._add("gate_kernel", (gates, gates) if variant.gate_states else None, "recurrent")
        for name, size in (("input", columns), ("recurrent", columns), ("cell", units)):
            self._add(f"{name}_gain", (size,) if variant.layer_normalization else None, "gain")
        self._add("cell_shift", (units,) if variant.layer_normalization else None, "shift")
        projection = (units, self.output_size) if variant.projection_units else None
        self._add("projection_kernel", projection, "projection")

    def _add(self, name: str, shape: tuple[int, ...] | None, weight: str):
        # Vectors are not cast to 16 bits: multiplied with a large c, their last bits decide.
        added = None
        if shape is not None:
            added = self.add_cell_weight(name, shape, weight, autocast=len(shape) > 1)
        setattr(self, name, added)

    def _initial_bias(self, shape, dtype=None):
        bias = self.initial("bias")(shape, dtype=dtype)
        parts = self.variant.parts
        if not (self.unit_forget_bias and "f" in parts):
            return bias
        split = ops.split(bias, len(parts))
        split[parts.index("f")] = ops.ones_like(split[parts.index("f")])
        return ops.concatenate(split)

    @property
    def input_bias(self):
        """Added to x W at once; with normalisation, behind it."""
        return None if self.variant.layer_normalization else self.bias

    def input_products(self, inputs):
        """N(x W; γ_x) + b for inputs (…, features): (…, parts * units), as one product."""
        z = super().input_products(inputs)
        if not self.variant.layer_normalization:
            return z
        z = normalized(ops.cast(z, self.state_dtype), self._in_state_dtype(self.input_gain))
        return z if self.bias is None else z + self._in_state_dtype(self.bias)

    def call(self, inputs, states, training=False):
        state = [ops.cast(each, self.state_dtype) for each in states]
        inputs, fed_back = self.dropped(inputs, state[0], training)
        z = ops.cast(self.input_products(inputs), self.state_dtype)
        zoned = self._draw(ops.shape(z)[:1]) if training else Zoned()
        weights = self._step_weights(self.recurrent_kernel)
        new = variant_step(z, state, fed_back, zoned, weights, self._functions(), self.variant)
        new = [ops.cast(each, self.compute_dtype) for each in new]
        return new[0], new

    def recurrence(self, run: Run) -> tuple:
        weights, functions = self._step_weights(run.recurrent_kernel), self._functions()
        z = self.input_products(run.inputs)
        zoned = self._draw(ops.shape(z)[:2]) if run.training else Zoned()
        optional = (run.mask, zoned.c, zoned.h)
        present = [tensor for tensor in optional if tensor is not None]

        def step(state, z, *given):
            remaining = iter(given)
            keep, *drawn = (None if each is None else next(remaining) for each in optional)
            fed_back = state[0]
            if run.recurrent_dropout_mask is not None:
                fed_back = fed_back * run.recurrent_dropout_mask
            z = ops.cast(z, self.state_dtype)
            new = variant_step(z, state, fed_back, Zoned(*drawn), weights, functions, self.variant)
            if keep is None:
                return new
            return [ops.where(keep[:, None], *pair) for pair in zip(new, state, strict=True)]

        return scan(step, run.state, [z, *present], unroll=run.unroll)

    def _draw(self, shape) -> Zoned:
        rates = (self.variant.zoneout_c, self.units), (self.variant.zoneout_h, self.output_size)
        return Zoned(
            *(
                keras.random.uniform((*shape, size), seed=self.seed_generator) < rate
                if rate
                else None
                for rate, size in rates
            )
        )

    def _in_state_dtype(self, weight):
        return None if weight is None else ops.cast(weight, self.state_dtype)

    def _functions(self) -> Functions:
        names = (
            self.recurrent_activation,
            self.variant.input_activation or self.activation,
            self.variant.output_activation or self.activation,
        )
        sigma, phi_in, phi_out = (activations.ACTIVATIONS[name].function for name in names)
        return Functions(
            sigma, phi_in, phi_out, functools.partial(product, dtype=self.compute_dtype)
        )

    def _step_weights(self, recurrent_kernel) -> Weights:
        peepholes = {
            gate: self._in_state_dtype(getattr(self, f"{_GATES[gate]}_peephole"))
            for gate in self.variant.peepholes
        }
        others = (
            recurrent_kernel,
            self.gate_kernel,
            self.recurrent_gain,
            self.cell_gain,
            self.cell_shift,
            self.projection_kernel,
        )
        return Weights(peepholes, *(self._in_state_dtype(weight) for weight in others))

    def get_config(self):
        return {
            **super().get_config(),
            **dataclasses.asdict(self.variant),
            "unit_forget_bias": self.unit_forget_bias,
        }
