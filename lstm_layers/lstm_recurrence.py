"""The LSTM recurrence, with or without peepholes, as a pure function with its own gradient.

Forward (Gers, Schraudolph and Schmidhuber 2002, section 2; gate order i, f, g, o as in Keras).
With z = x W + b computed for all steps at once beforehand, h' and c' the previous step's values,
m an optional dropout mask on h', and p_i, p_f, p_o the peephole weights:

    i = σ(z_i + (h'⊙m) R_i + p_i ⊙ c')
    f = σ(z_f + (h'⊙m) R_f + p_f ⊙ c')
    g = φ(z_g + (h'⊙m) R_g)
    c = f ⊙ c' + i ⊙ g
    o = σ(z_o + (h'⊙m) R_o + p_o ⊙ c)
    h = o ⊙ φ(c)

Backward. Write d(·) for the derivative of the loss. From the last step to the first, where dh
holds the gradient of this step's output plus what the following step sent back, and dc what the
following step sent back through the cell state:

    dz_o = dh ⊙ φ(c) ⊙ σ'(o)
    dc  += dh ⊙ o ⊙ φ'(c) + dz_o ⊙ p_o          (o looked at c, so before the other gates)
    dz_i = dc ⊙ g ⊙ σ'(i)
    dz_f = dc ⊙ c' ⊙ σ'(f)
    dz_g = dc ⊙ i ⊙ φ'(g)
    dc'  = dc ⊙ f + dz_i ⊙ p_i + dz_f ⊙ p_f
    dh'  = (dz Rᵀ) ⊙ m

Only this chain is sequential. The weights' gradients are products over all steps at once:

    dR = Σ_t (h'⊙m)ᵀ dz,   dp_i = Σ dz_i ⊙ c',   dp_f = Σ dz_f ⊙ c',   dp_o = Σ dz_o ⊙ c

and dz is handed back as the gradient of z, from which TensorFlow derives those of x, W and b, again
in single products. A masked step copies h and c, so its dz is zero and dh, dc pass through.

Derivatives of the activations are written in terms of their values (tanh' = 1 - y²), so that the
forward pass keeps i, f, g, o, c, h and nothing else.

Precision: products with R run in the dtype of R; gates and states run in float32 where that dtype
is a 16-bit one, since a cell state that adds up in bfloat16 loses every increment under 1/256 of
itself.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from lstm_layers import activations
from lstm_layers.scan import product, scan, step_count, weight_gradient


class Peepholes(NamedTuple):
    """Weights from the cell state to the gates, each of shape (units,), or None where absent."""

    input: tf.Tensor | None = None
    forget: tf.Tensor | None = None
    output: tf.Tensor | None = None


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


def lstm(
    z: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    peepholes: Peepholes,
    initial_state: tuple[tf.Tensor, tf.Tensor],
    mask: tf.Tensor | None = None,
    recurrent_dropout_mask: tf.Tensor | None = None,
    options: Options = Options(),
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Runs the recurrence over time.

    Args:
        z: (time, batch, 4 * units), the input products x W + b, gates in the order i, f, g, o.
        recurrent_kernel: (units, 4 * units), R in the same gate order; its dtype is that of the
            products, 16 bits or more.
        peepholes: weights of shape (units,), or None by gate.
        initial_state: h and c before the first step, each (batch, units).
        mask: (time, batch) bool, False where h and c are to be copied from the step before.
        recurrent_dropout_mask: (batch, units), multiplied into h before every product with R.
        options: activations, and whether to unroll.

    Returns:
        h at every step (time, batch, units), and the last h and c (batch, units).
    """
    # custom_gradient takes a flat list of tensors; what is absent is left out of it.
    optional = (*peepholes, recurrent_dropout_mask)
    present = [tensor for tensor in optional if tensor is not None]

    @tf.custom_gradient
    def recurrence(z, recurrent_kernel, h_0, c_0, *given):
        remaining = iter(given)
        p_i, p_f, p_o, m = (None if slot is None else next(remaining) for slot in optional)
        p = Peepholes(p_i, p_f, p_o)
        (h_last, c_last), steps = _forward(z, recurrent_kernel, p, h_0, c_0, mask, m, options)

        def gradient(d_h, d_h_last, d_c_last):
            found = gradients(
                steps, recurrent_kernel, p, (h_0, c_0), mask, m, options, (d_h, d_h_last, d_c_last)
            )
            d_given = [found.peepholes[gate] for gate, weight in enumerate(p) if weight is not None]
            if m is not None:
                d_given.append(tf.zeros_like(m))  # a dropout mask is drawn, not learned
            return tf.cast(found.z, z.dtype), found.recurrent_kernel, *found.state, *d_given

        return (steps.h, h_last, c_last), gradient

    return recurrence(z, recurrent_kernel, *initial_state, *present)


class Gradients(NamedTuple):
    """Derivatives of the loss: dz (time, batch, 4 * units), dR, dp, and those of h_0 and c_0."""

    z: tf.Tensor
    recurrent_kernel: tf.Tensor
    peepholes: Peepholes
    state: tuple[tf.Tensor, tf.Tensor]


class Step(NamedTuple):
    """Gates and states of one step, each (batch, units), or of all, (time, batch, units).

    All six leave the loop as arrays of their own: the backward pass needs them, and XLA on CPU
    would otherwise compute a gate again inside each of its consumers.
    """

    i: tf.Tensor
    f: tf.Tensor
    g: tf.Tensor
    o: tf.Tensor
    c: tf.Tensor
    h: tf.Tensor


def lstm_step(
    products: tf.Tensor, c_before: tf.Tensor, peepholes: Peepholes, options: Options
) -> Step:
    """The forward equations of one step.

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


def gradients(
    steps: Step,
    recurrent_kernel: tf.Tensor,
    peepholes: Peepholes,
    initial_state: tuple[tf.Tensor, tf.Tensor],
    mask: tf.Tensor | None,
    recurrent_dropout_mask: tf.Tensor | None,
    options: Options,
    arriving: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
) -> Gradients:
    """The backward pass, whatever has computed the forward one.

    Args:
        steps: of the forward pass, each (time, batch, units).
        arriving: gradients of h at every step, and of the last h and c.
        recurrent_kernel, peepholes, initial_state, mask, recurrent_dropout_mask, options: those
            of the forward pass, see `lstm`.
    """
    h_0, c_0 = initial_state
    h_before = tf.concat([h_0[None], steps.h[:-1]], axis=0)
    c_before = tf.concat([c_0[None], steps.c[:-1]], axis=0)
    m = recurrent_dropout_mask
    d_z, d_h_0, d_c_0 = _backward(
        steps, c_before, recurrent_kernel, peepholes, mask, m, options, *arriving
    )
    d_i, d_f, _, d_o = tf.split(d_z, 4, axis=-1)
    looked_at = ((d_i, c_before), (d_f, c_before), (d_o, steps.c))
    d_peepholes = (
        None if weight is None else tf.reduce_sum(d_gate * cell, axis=[0, 1])
        for weight, (d_gate, cell) in zip(peepholes, looked_at, strict=True)
    )
    fed_back = h_before if m is None else h_before * m
    d_recurrent_kernel = weight_gradient(fed_back, d_z, recurrent_kernel.dtype)
    return Gradients(d_z, d_recurrent_kernel, Peepholes(*d_peepholes), (d_h_0, d_c_0))


def _forward(z, recurrent_kernel, p, h_0, c_0, mask, m, options):
    """All steps: the last (h, c), and `Step` with a leading time dimension."""

    def step(t, state):
        h, c = state
        products = tf.cast(z[t], h.dtype) + product(h if m is None else h * m, recurrent_kernel)
        new = lstm_step(products, c, p, options)
        if mask is not None:
            keep = mask[t][:, None]
            new = new._replace(c=tf.where(keep, new.c, c), h=tf.where(keep, new.h, h))
        return (new.h, new.c), new

    state, values = scan(
        step, (h_0, c_0), step_count(z, options.unroll), [h_0] * 6, unroll=options.unroll
    )
    return state, Step(*values)


def _backward(steps, c_before, recurrent_kernel, p, mask, m, options, d_h_all, d_h_last, d_c_last):
    """The backward equations: gradients of z (time, batch, 4 * units), h_0 and c_0."""
    d_sigma = activations.ACTIVATIONS[options.recurrent_activation].derivative
    phi, d_phi = activations.ACTIVATIONS[options.activation]

    def step(t, carry):
        d_h, d_c = carry
        i, f, g, o, c, _ = (values[t] for values in steps)
        d_h = d_h + d_h_all[t]
        phi_c = phi(c)
        d_o = d_h * phi_c * d_sigma(o)
        d_cell = d_c + d_h * o * d_phi(phi_c)
        if p.output is not None:
            d_cell = d_cell + d_o * p.output
        d_i = d_cell * g * d_sigma(i)
        d_f = d_cell * c_before[t] * d_sigma(f)
        d_g = d_cell * i * d_phi(g)
        d_z = tf.concat([d_i, d_f, d_g, d_o], axis=-1)
        if mask is not None:
            keep = mask[t][:, None]
            d_z = tf.where(keep, d_z, tf.zeros_like(d_z))
        d_h_before = product(d_z, recurrent_kernel, transpose=True)
        if m is not None:
            d_h_before = d_h_before * m
        d_c_before = d_cell * f
        if p.input is not None:
            d_c_before = d_c_before + d_i * p.input
        if p.forget is not None:
            d_c_before = d_c_before + d_f * p.forget
        if mask is not None:
            d_h_before = tf.where(keep, d_h_before, d_h)
            d_c_before = tf.where(keep, d_c_before, d_c)
        return (d_h_before, d_c_before), (d_z,)

    gates = tf.concat([d_c_last] * 4, axis=-1)
    (d_h_0, d_c_0), (d_z,) = scan(
        step,
        (d_h_last, d_c_last),
        step_count(d_h_all, options.unroll),
        [gates],
        reverse=True,
        unroll=options.unroll,
    )
    return d_z, d_h_0, d_c_0
