"""`VariantLSTM`, its cell, and the variants of the LSTM under the names of the literature.

A variant with a name is a `VariantLSTM` with some options chosen: equations, masks and states are
those of `VariantLSTM`, and every other option can be given.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, ClassVar

import keras
from keras import ops

from lstm_layers.attributes import reading
from lstm_layers.recurrences import activations
from lstm_layers.recurrences.portable import product, scan
from lstm_layers.recurrent_cell import RecurrentCell, Run, options_of_weights
from lstm_layers.recurrent_layer import RecurrentLayer
from lstm_layers.variant_equations import (
    FIELDS,
    Functions,
    Variant,
    Weights,
    Zoned,
    normalized,
    variant_step,
)

_GATES = {"i": "input", "f": "forget", "o": "output"}


@keras.saving.register_keras_serializable(package="lstm_layers")
class VariantLSTMCell(RecurrentCell):
    """One step of an LSTM of any variant; equations in `variant_equations`.

    Weights, in this order and as far as the options need them, with k parts i, f, g, o less the
    gates that are not computed:

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
        """The bias that is added to x W at once; with normalisation it comes after it."""
        return None if self.variant.layer_normalization else self.bias

    def input_products(self, inputs):
        """Returns N(x W; γ_x) + b for inputs (…, features): (…, parts * units), as one product."""
        z = super().input_products(inputs)
        if not self.variant.layer_normalization:
            return z
        z = normalized(ops.cast(z, self.state_dtype), self._in_state_dtype(self.input_gain))
        return z if self.bias is None else z + self._in_state_dtype(self.bias)

    def call(self, inputs, states, training=False):
        state = [ops.cast(each, self.state_dtype) for each in states]
        inputs, fed_back = self.dropped(inputs, state[0], training)
        z = ops.cast(self.input_products(inputs), self.state_dtype)
        zoned = self._zoned(ops.shape(z)[:1]) if training else Zoned()
        weights = self._step_weights(self.recurrent_kernel)
        new = variant_step(z, state, fed_back, zoned, weights, self._functions(), self.variant)
        new = [ops.cast(each, self.compute_dtype) for each in new]
        return new[0], new

    def recurrence(self, run: Run) -> tuple:
        weights, functions = self._step_weights(run.recurrent_kernel), self._functions()
        z = self.input_products(run.inputs)
        zoned = Zoned() if run.drawn is None else run.drawn
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

    def draw(self, inputs) -> Zoned:
        return self._zoned(ops.shape(inputs)[:2])

    def _zoned(self, shape) -> Zoned:
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


@reading("cell.variant", sorted(FIELDS))
@reading("cell", ["unit_forget_bias", *options_of_weights(VariantLSTMCell)])
@keras.saving.register_keras_serializable(package="lstm_layers")
class VariantLSTM(RecurrentLayer):
    """An LSTM of any variant over (batch, time, features).

    See `variant_equations` for the equations, `Variant` for the options with their sources, and
    `VariantLSTMCell` for weights and states. The variants of the literature have names below. With
    the options at their defaults it is `PeepholeLSTM(units, peepholes="")`, and with
    `peepholes="ifo"` `PeepholeLSTM(units)`: same weights, same results. `PeepholeLSTM` has a
    gradient derived by hand and the faster `implementations`; here the loop is the portable one,
    and the backend differentiates it.

    Args:
        units: size of c and of the gates; of h too, unless `projection_units`.
        **options: those of `RecurrentLayer`, and the other ones of `VariantLSTMCell`.

    Call arguments, returned values and masks: see `RecurrentLayer`.
    """

    def __init__(self, units: int, **options):
        super().__init__(VariantLSTMCell, {"units": units}, **options)


# Greff et al. 2017: the full LSTM "V", and the options of each variant of it.
GREFF_VARIANTS: dict[str, dict[str, Any]] = {
    "V": {"peepholes": "ifo"},
    "NIG": {"gates": "fo", "peepholes": "fo"},
    "NFG": {"gates": "io", "peepholes": "io"},
    "NOG": {"gates": "if", "peepholes": "if"},
    "NIAF": {"peepholes": "ifo", "input_activation": "linear"},
    "NOAF": {"peepholes": "ifo", "output_activation": "linear"},
    "CIFG": {"coupled_gates": True, "peepholes": "io"},
    "NP": {"peepholes": ""},
    "FGR": {"peepholes": "ifo", "full_gate_recurrence": True},
}


def greff_variant(name: str, units: int, **options) -> VariantLSTM:
    """Makes a variant of Greff, Srivastava, Koutník, Steunebrink and Schmidhuber 2017.

    Args:
        name: "V", the LSTM with peepholes, or the difference from it: "NIG", "NFG", "NOG" (no
            input, forget, output gate: it is open), "NIAF", "NOAF" (no input, output activation
            function), "CIFG" (coupled input and forget gate), "NP" (no peepholes), "FGR" (full
            gate recurrence).
        units: size of h and c.
        **options: of `VariantLSTM`, other than those that the name stands for.

    Raises:
        ValueError: an unknown name.
    """
    if name not in GREFF_VARIANTS:
        raise ValueError(f"name must be one of {', '.join(GREFF_VARIANTS)}, got {name!r}")
    return VariantLSTM(units, **GREFF_VARIANTS[name], **options)


@keras.saving.register_keras_serializable(package="lstm_layers")
class LSTM1997(VariantLSTM):
    """The first LSTM, without a forget gate: c = c' + i ⊙ g.

    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997, section 4; with one cell a
    block, tanh for both of its squashing functions, and the whole gradient where they truncate it.
    """

    def __init__(self, units: int, **options):
        super().__init__(units, **{"gates": "io", **options})


@keras.saving.register_keras_serializable(package="lstm_layers")
class LSTM2000(VariantLSTM):
    """The LSTM with a forget gate: c = f ⊙ c' + i ⊙ g.

    Source: Gers, Schmidhuber and Cummins, "Learning to forget", 2000, section 3. The same as
    `PeepholeLSTM(units, peepholes="")`, which has faster implementations.
    """

    def __init__(self, units: int, **options):
        super().__init__(units, **{"gates": "ifo", **options})


@keras.saving.register_keras_serializable(package="lstm_layers")
class CoupledLSTM(VariantLSTM):
    """The LSTM with coupled gates, f = 1 - i: a quarter fewer weights.

    Source: Greff et al., "LSTM: a search space odyssey", 2017 (CIFG), here without
    peepholes by default.
    """

    def __init__(self, units: int, **options):
        super().__init__(units, **{"coupled_gates": True, **options})


@keras.saving.register_keras_serializable(package="lstm_layers")
class ProjectedLSTM(VariantLSTM):
    """The LSTM with a projected output: h = (o ⊙ φ(c)) P, of `projection_units`.

    Source: Sak, Senior and Beaufays, "Long short-term memory recurrent neural network
    architectures for large scale acoustic modeling", 2014, section 2; there with peepholes "ifo".
    """

    def __init__(self, units: int, projection_units: int, **options):
        super().__init__(units, projection_units=projection_units, **options)


@keras.saving.register_keras_serializable(package="lstm_layers")
class LayerNormLSTM(VariantLSTM):
    """The LSTM with layer normalisation of both products and the cell at every step.

    Source: Ba, Kiros and Hinton, "Layer normalization", 2016, supplementary material.
    """

    def __init__(self, units: int, **options):
        super().__init__(units, **{"layer_normalization": True, **options})


@keras.saving.register_keras_serializable(package="lstm_layers")
class ZoneoutLSTM(VariantLSTM):
    """The LSTM with zoneout: in training, random entries of c and h keep their value.

    Source: Krueger et al., "Zoneout: regularizing RNNs by randomly preserving hidden activations",
    2017, section 3; the rates are those of its experiment on the characters of the Penn Treebank.
    """

    def __init__(self, units: int, zoneout_c: float = 0.5, zoneout_h: float = 0.05, **options):
        super().__init__(units, zoneout_c=zoneout_c, zoneout_h=zoneout_h, **options)
