"""The equations of one LSTM step, forward and backward: every loop over time calls them.

Forward (Gers, Schraudolph and Schmidhuber 2002, section 2; gate order i, f, g, o as in Keras).
With z = x W + b, h' and c' the previous step's values, m an optional dropout mask on h', and
p_i, p_f, p_o the peephole weights:

    i = σ(z_i + (h'⊙m) R_i + p_i ⊙ c')
    f = σ(z_f + (h'⊙m) R_f + p_f ⊙ c')
    g = φ(z_g + (h'⊙m) R_g)
    c = f ⊙ c' + i ⊙ g
    o = σ(z_o + (h'⊙m) R_o + p_o ⊙ c)
    h = o ⊙ φ(c)

Backward. Write d(·) for the derivative of the loss. Where dh holds the gradient of this step's
output plus what the next step sent back, and dc what the next step sent back through the cell
state:

    dz_o = dh ⊙ φ(c) ⊙ σ'(o)
    dc  += dh ⊙ o ⊙ φ'(c) + dz_o ⊙ p_o          (o depends on c, so it comes first)
    dz_i = dc ⊙ g ⊙ σ'(i)
    dz_f = dc ⊙ c' ⊙ σ'(f)
    dz_g = dc ⊙ i ⊙ φ'(g)
    dc'  = dc ⊙ f + dz_i ⊙ p_i + dz_f ⊙ p_f
    dh'  = (dz Rᵀ) ⊙ m

Only this chain is sequential. The weights' gradients are products over all steps at once:

    dW = Σ_t xᵀ dz,   dR = Σ (h'⊙m)ᵀ dz,   db = Σ dz
    dp_i = Σ dz_i ⊙ c',   dp_f = Σ dz_f ⊙ c',   dp_o = Σ dz_o ⊙ c

Derivatives of the activations are written in terms of their values (tanh' = 1 - y²), so that the
forward pass keeps values and no arguments.

Everything here is `keras.ops` and runs on any backend. A loop is a function
`run(x, mask, initial, weights, options) -> (outputs, final)`; see `implementations`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from keras import ops

from lstm_layers.recurrences import activations


class Peepholes(NamedTuple):
    """Weights from the cell state to the gates, each of shape (units,), or None where absent."""

    input: Any = None
    forget: Any = None
    output: Any = None


class Weights(NamedTuple):
    """Tensors that a loop multiplies with; None where absent.

    W, R and b have the dtype of the products, 16 bits or more; the others that of the states.

    Attributes:
        kernel: W (features, 4 * units), gates in the order i, f, g, o.
        recurrent_kernel: R (units, 4 * units).
        bias: b (4 * units,).
        input_peephole, forget_peephole, output_peephole: p_i, p_f and p_o, each (units,).
        recurrent_dropout_mask: m (batch, units), which is drawn and not learned.
    """

    kernel: Any
    recurrent_kernel: Any
    bias: Any = None
    input_peephole: Any = None
    forget_peephole: Any = None
    output_peephole: Any = None
    recurrent_dropout_mask: Any = None

    @property
    def peepholes(self) -> Peepholes:
        return Peepholes(*self[3:6])


class Options(NamedTuple):
    """Settings that are fixed when a graph is traced.

    Attributes:
        activation: name of φ, a key of `activations.ACTIVATIONS`.
        recurrent_activation: name of σ, likewise.
        unroll: write the steps out instead of looping; needs a static time dimension.
        training: keep the values that a gradient needs, where that is a choice ("xla").
    """

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    unroll: bool = False
    training: bool = True


class Step(NamedTuple):
    """Gates and states of one step, each (batch, units), or of all steps, (time, batch, units)."""

    i: Any
    f: Any
    g: Any
    o: Any
    c: Any
    h: Any


class Gates(NamedTuple):
    """Values of the gates, or the derivatives dz of the loss, each (batch, units)."""

    i: Any
    f: Any
    g: Any
    o: Any


def lstm_step(products, c_before, peepholes: Peepholes, options: Options) -> Step:
    """Computes the forward equations.

    Args:
        products: (batch, 4 * units), z + (h' ⊙ m) R.
        c_before: (batch, units), c'.
        peepholes: weights of shape (units,), or None by gate.
        options: activations.
    """
    sigma = activations.ACTIVATIONS[options.recurrent_activation].function
    phi = activations.ACTIVATIONS[options.activation].function
    z_i, z_f, z_g, z_o = ops.split(products, 4, axis=-1)
    i = sigma(z_i if peepholes.input is None else z_i + peepholes.input * c_before)
    f = sigma(z_f if peepholes.forget is None else z_f + peepholes.forget * c_before)
    g = phi(z_g)
    c = f * c_before + i * g
    o = sigma(z_o if peepholes.output is None else z_o + peepholes.output * c)
    return Step(i, f, g, o, c, o * phi(c))


def lstm_step_backward(
    gates: Gates,
    cells: tuple[Any, Any],
    d_states: tuple[Any, Any],
    peepholes: Peepholes,
    options: Options,
) -> tuple[Gates, Any]:
    """Computes the backward equations up to dz, from which dh' is one product.

    Args:
        gates: their values.
        cells: c' and c, each (batch, units).
        d_states: dh, and dc as the next step sent it back, each (batch, units).
        peepholes, options: see `lstm_step`.

    Returns:
        dz by gate, and dc'.
    """
    d_sigma = activations.ACTIVATIONS[options.recurrent_activation].derivative
    phi, d_phi = activations.ACTIVATIONS[options.activation]
    (c_before, c), (d_h, d_c) = cells, d_states
    phi_c = phi(c)
    d_o = d_h * phi_c * d_sigma(gates.o)
    d_cell = d_c + d_h * gates.o * d_phi(phi_c)
    if peepholes.output is not None:
        d_cell = d_cell + d_o * peepholes.output
    d_i = d_cell * gates.g * d_sigma(gates.i)
    d_f = d_cell * c_before * d_sigma(gates.f)
    d_g = d_cell * gates.i * d_phi(gates.g)
    d_c_before = d_cell * gates.f
    if peepholes.input is not None:
        d_c_before = d_c_before + d_i * peepholes.input
    if peepholes.forget is not None:
        d_c_before = d_c_before + d_f * peepholes.forget
    return Gates(d_i, d_f, d_g, d_o), d_c_before


def peephole_terms(d_gates: Gates, cells: tuple[Any, Any], peepholes: Peepholes) -> Iterator[Any]:
    """Yields dz ⊙ c for each peephole that is present, c as its gate saw it: the terms of dp."""
    c_before, c = cells
    seen = (d_gates.i, c_before), (d_gates.f, c_before), (d_gates.o, c)
    for weight, (d_gate, cell) in zip(peepholes, seen, strict=True):
        if weight is not None:
            yield d_gate * cell
