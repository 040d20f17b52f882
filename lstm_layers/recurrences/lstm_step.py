"""One step of the LSTM, with or without peepholes, forward and backward, for every loop over time.

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
output plus what the following step sent back, and dc what the following step sent back through the
cell state:

    dz_o = dh ⊙ φ(c) ⊙ σ'(o)
    dc  += dh ⊙ o ⊙ φ'(c) + dz_o ⊙ p_o          (o looked at c, so before the other gates)
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
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from lstm_layers.recurrences import activations
from lstm_layers.recurrences.lstm_portable import Peepholes


class Options(NamedTuple):
    """What is fixed when the graph is traced.

    Attributes:
        activation: name of φ, a key of `activations.ACTIVATIONS`.
        recurrent_activation: name of σ, likewise.
        unroll: write the steps out instead of looping; needs a static time dimension.
    """

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    unroll: bool = False


class Step(NamedTuple):
    """Gates and states of one step, each (batch, units), or of all, (time, batch, units)."""

    i: tf.Tensor
    f: tf.Tensor
    g: tf.Tensor
    o: tf.Tensor
    c: tf.Tensor
    h: tf.Tensor


class Gates(NamedTuple):
    """Values of the gates, or the derivatives dz of the loss, each (batch, units)."""

    i: tf.Tensor
    f: tf.Tensor
    g: tf.Tensor
    o: tf.Tensor


def lstm_step(
    products: tf.Tensor, c_before: tf.Tensor, peepholes: Peepholes, options: Options
) -> Step:
    """The forward equations.

    Args:
        products: (batch, 4 * units), z + (h' ⊙ m) R.
        c_before: (batch, units), c'.
        peepholes: weights of shape (units,), or None by gate.
        options: activations.
    """
    sigma = activations.ACTIVATIONS[options.recurrent_activation].function
    phi = activations.ACTIVATIONS[options.activation].function
    z_i, z_f, z_g, z_o = tf.split(products, 4, axis=-1)
    i = sigma(z_i if peepholes.input is None else z_i + peepholes.input * c_before)
    f = sigma(z_f if peepholes.forget is None else z_f + peepholes.forget * c_before)
    g = phi(z_g)
    c = f * c_before + i * g
    o = sigma(z_o if peepholes.output is None else z_o + peepholes.output * c)
    return Step(i, f, g, o, c, o * phi(c))


def lstm_step_backward(
    gates: Gates,
    cells: tuple[tf.Tensor, tf.Tensor],
    d_states: tuple[tf.Tensor, tf.Tensor],
    peepholes: Peepholes,
    options: Options,
) -> tuple[Gates, tf.Tensor]:
    """The backward equations up to dz, from which dh' is one product.

    Args:
        gates: their values.
        cells: c' and c, each (batch, units).
        d_states: dh, and dc as the following step sent it back, each (batch, units).
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


def peephole_terms(
    d_gates: Gates, cells: tuple[tf.Tensor, tf.Tensor], peepholes: Peepholes
) -> Iterator[tf.Tensor]:
    """dz ⊙ the cell state that it saw, for each peephole there is: the terms of dp's sums."""
    c_before, c = cells
    seen = (d_gates.i, c_before), (d_gates.f, c_before), (d_gates.o, c)
    for weight, (d_gate, cell) in zip(peepholes, seen, strict=True):
        if weight is not None:
            yield d_gate * cell
