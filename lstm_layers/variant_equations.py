"""One step of every LSTM variant of this package, as a pure function in `keras.ops`.

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
c). The gradient is the backend's own, through the loop. With truncated peepholes c and c' enter
them as constants.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops

from lstm_layers.variant_options import Variant

EPSILON = 1e-5  # added to the variance in every layer normalisation


class Weights(NamedTuple):
    """Tensors of one call, in the dtype of the states; None where the variant has no use for them.

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
    """Which entries of c and h keep their value, (batch, size) bool; None for the expectation."""

    c: Any = None
    h: Any = None


def normalized(values, gain):
    """Mean zero, variance one over the last axis, times a gain (Ba et al. 2016, equation 4)."""
    centred = values - ops.mean(values, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
    return centred * ops.rsqrt(variance + EPSILON) * gain


def variant_step(
    z, state, fed_back, zoned: Zoned, weights: Weights, functions: Functions, variant: Variant
):
    """The forward equations of one step.

    Args:
        z: (batch, parts * units), N(x W; γ_x) + b.
        state: h' (batch, output size), c' (batch, units), and with full gate recurrence the gates
            of the step before, each (batch, units).
        fed_back: (batch, output size), h' ⊙ m.
        zoned: what zoneout has drawn.
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
    """What the gates' and the input's activations are taken of, but for peepholes, by letter."""
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
