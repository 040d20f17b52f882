"""The equations of one step of every LSTM variant, as a pure function, and their options.

With x the input, h' and c' the states before, N(·; γ) a layer normalisation with gain γ (or
nothing), m a dropout mask (or nothing), and each of the three gates computed or left open (one):

    a = N(x W; γ_x) + N((h' ⊙ m) R; γ_h) + b      and for the gates, with full gate recurrence,
                                                  + [i', f', o'] G
    i = σ(a_i + p_i ⊙ c')
    f = σ(a_f + p_f ⊙ c')                         or 1 - i where the gates are coupled
    g = φ_in(a_g)
    c = f ⊙ c' + i ⊙ g                            cut at ± cell_clip
    o = σ(a_o + p_o ⊙ c)
    h = (o ⊙ φ_out(N(c; γ_c) + β_c)) P            P only with a projection

and with zoneout, entries of c and h then keep their values c' and h' (h still follows from the new
c). The gradient is the backend's own, through the loop. With truncated peepholes c and c' are
constants in the gates.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from keras import ops

EPSILON = 1e-5  # added to the variance in every layer normalisation


@dataclasses.dataclass(frozen=True)
class Variant:
    """Options of `VariantLSTM` in addition to those of every layer; equations above.

    Attributes:
        gates: letters of "ifo", the gates that are computed; the others are open (one).
        coupled_gates: f = 1 - i, with no weights of its own (Greff et al. 2017, CIFG).
        peepholes: gates that see the cell state, letters of those computed.
        truncated_peepholes: no gradient flows through the peepholes into the cell, as Gers,
            Schraudolph and Schmidhuber 2002 trained them; the peepholes themselves learn. (They cut
            the gradient through h as well; here that one stays whole.)
        full_gate_recurrence: the gates also see all gates of the step before (Greff et al., FGR).
        input_activation, output_activation: φ_in and φ_out; None for the layer's `activation`.
        projection_units: size of h, then a linear projection of the cell's output (Sak, Senior and
            Beaufays 2014, section 2); None for none.
        layer_normalization: of x W and of h' R, each over all its parts together, and of the cell
            on its way to the output (Ba, Kiros and Hinton 2016, supplementary material). The two
            products and b have one shift together, which is b.
        zoneout_c, zoneout_h: probability with which an entry of c, of h, keeps its value, drawn
            anew for each step and row in training; otherwise the expectation is taken (Krueger et
            al. 2017, section 3).
        cell_clip: c is kept within ± this (as in Sak et al.'s training); no gradient flows where
            it is cut.

    Raises:
        ValueError: options out of their range, or that contradict each other.
    """

    gates: str = "ifo"
    coupled_gates: bool = False
    peepholes: str = ""
    truncated_peepholes: bool = False
    full_gate_recurrence: bool = False
    input_activation: str | None = None
    output_activation: str | None = None
    projection_units: int | None = None
    layer_normalization: bool = False
    zoneout_c: float = 0.0
    zoneout_h: float = 0.0
    cell_clip: float | None = None

    def __post_init__(self):
        _check_letters("gates", self.gates, "ifo")
        if self.coupled_gates and "i" not in self.gates:
            raise ValueError("coupled_gates needs an input gate: f = 1 - i")
        _check_letters("peepholes", self.peepholes, self.computed)
        if self.full_gate_recurrence and not self.computed:
            raise ValueError("full_gate_recurrence needs a gate that is computed")
        for name in ("zoneout_c", "zoneout_h"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must be in [0, 1), got {getattr(self, name)}")
        for name in ("projection_units", "cell_clip"):
            if getattr(self, name) is not None and getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")

    @property
    def computed(self) -> str:
        """Letters of the gates with weights of their own, in the order i, f, o."""
        coupled = "f" if self.coupled_gates else ""
        return "".join(gate for gate in "ifo" if gate in self.gates and gate not in coupled)

    @property
    def parts(self) -> str:
        """Letters of the parts of W, R and b, in the order of Keras: i, f, g, o."""
        return "".join(part for part in "ifgo" if part == "g" or part in self.computed)

    @property
    def gate_states(self) -> int:
        """The number of gates that are states, in addition to h and c."""
        return len(self.computed) if self.full_gate_recurrence else 0


def _check_letters(name: str, letters: str, known: str) -> None:
    if set(letters) - set(known) or len(set(letters)) < len(letters):
        raise ValueError(f'{name} must be letters of "{known}", each at most once: {letters!r}')


FIELDS = frozenset(field.name for field in dataclasses.fields(Variant))


class Weights(NamedTuple):
    """Tensors of one call, in the dtype of the states; None where the variant does not use them.

    Attributes:
        peepholes: p by gate letter, each (units,).
        recurrent_kernel: R, (output size, parts * units), parts in the order i, f, g, o.
        gate_kernel: G, (gates * units, gates * units).
        recurrent_gain: γ_h, (parts * units,).
        cell_gain, cell_shift: γ_c and β_c, (units,).
        projection: P, (units, output size).
    """

    peepholes: dict[str, Any]
    recurrent_kernel: Any
    gate_kernel: Any
    recurrent_gain: Any
    cell_gain: Any
    cell_shift: Any
    projection: Any


class Functions(NamedTuple):
    """σ, φ_in and φ_out, and the matrix product."""

    recurrent: Any
    input: Any
    output: Any
    product: Any


class Zoned(NamedTuple):
    """Masks (batch, size) bool, true where c and h keep their value; None for the expectation."""

    c: Any = None
    h: Any = None


def normalized(values, gain):
    """Scales to mean 0 and variance 1 over the last axis, times a gain (Ba et al. 2016, eq. 4)."""
    centred = values - ops.mean(values, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
    return centred * ops.rsqrt(variance + EPSILON) * gain


def variant_step(
    z, state, fed_back, zoned: Zoned, weights: Weights, functions: Functions, variant: Variant
):
    """Computes the forward equations of one step.

    Args:
        z: (batch, parts * units), N(x W; γ_x) + b.
        state: h' (batch, output size), c' (batch, units), and with full gate recurrence the gates
            of the step before, each (batch, units).
        fed_back: (batch, output size), h' ⊙ m.
        zoned: the masks that zoneout has drawn.
        weights: tensors.
        functions: activations and product.
        variant: options.

    Returns:
        The new state, in the order of `state`.
    """
    h_before, c_before, *gates_before = state
    a = _arguments(z, fed_back, gates_before, weights, functions, variant)

    def gate(letter, cell):
        if letter not in weights.peepholes:
            return functions.recurrent(a[letter])
        seen = ops.stop_gradient(cell) if variant.truncated_peepholes else cell
        return functions.recurrent(a[letter] + weights.peepholes[letter] * seen)

    gates = {letter: gate(letter, c_before) for letter in variant.computed if letter != "o"}
    f = 1.0 - gates["i"] if variant.coupled_gates else gates.get("f")
    g = functions.input(a["g"])
    c = c_before if f is None else f * c_before
    c = c + (gates["i"] * g if "i" in gates else g)
    if variant.cell_clip is not None:
        c = ops.clip(c, -variant.cell_clip, variant.cell_clip)

    shown = c
    if variant.layer_normalization:
        shown = normalized(c, weights.cell_gain) + weights.cell_shift
    h = functions.output(shown)
    if "o" in variant.computed:
        gates["o"] = gate("o", c)
        h = gates["o"] * h
    if weights.projection is not None:
        h = functions.product(h, weights.projection)

    c = _zoned_out(c, c_before, variant.zoneout_c, zoned.c)
    h = _zoned_out(h, h_before, variant.zoneout_h, zoned.h)
    return [h, c, *(gates[letter] for letter in variant.computed[: len(gates_before)])]


def _arguments(z, fed_back, gates_before, weights, functions, variant):
    """Returns the arguments of the activations by letter, without the peepholes' terms."""
    products = functions.product(fed_back, weights.recurrent_kernel)
    if variant.layer_normalization:
        products = normalized(products, weights.recurrent_gain)
    split = ops.split(z + products, len(variant.parts), axis=-1)
    arguments = dict(zip(variant.parts, split, strict=True))
    if gates_before:
        products = functions.product(ops.concatenate(gates_before, axis=-1), weights.gate_kernel)
        split = ops.split(products, len(gates_before), axis=-1)
        for letter, more in zip(variant.computed, split, strict=True):
            arguments[letter] = arguments[letter] + more
    return arguments


def _zoned_out(new, before, rate: float, zoned):
    if rate == 0.0:
        return new
    if zoned is None:
        return rate * before + (1.0 - rate) * new
    return ops.where(zoned, before, new)
