"""The LSTM recurrence, with or without peepholes, as a pure function with its own gradient.

One loop forward and one backward over the equations of `lstm_step`, with z = x W + b computed for
all steps at once beforehand. dz is handed back as the gradient of z, from which TensorFlow derives
those of x, W and b, again in single products. A masked step copies h and c, so its dz is zero and
dh, dc pass through.

Precision: products with R run in the dtype of R; gates and states run in float32 where that dtype
is a 16-bit one, since a cell state that adds up in bfloat16 loses every increment under 1/256 of
itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from lstm_layers.recurrences.lstm_portable import Peepholes
from lstm_layers.recurrences.lstm_step import (
    Gates,
    Options,
    Step,
    lstm_step,
    lstm_step_backward,
    peephole_terms,
)
from lstm_layers.recurrences.scan import product, scan, step_count, weight_gradient


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
            d_given = list(found.peepholes)
            if m is not None:
                d_given.append(tf.zeros_like(m))  # a dropout mask is drawn, not learned
            return tf.cast(found.z, z.dtype), found.recurrent_kernel, *found.state, *d_given

        return (steps.h, h_last, c_last), gradient

    return recurrence(z, recurrent_kernel, *initial_state, *present)


def unpack(
    given: Sequence[bool], present: Sequence[tf.Tensor]
) -> tuple[tf.Tensor | None, Peepholes]:
    """b and the peepholes, None where they were not given, from the ones there are."""
    remaining = iter(present)
    bias, *peepholes = (next(remaining) if is_given else None for is_given in given)
    return bias, Peepholes(*peepholes)


def of_inputs(
    inputs: tf.Tensor,
    initial_state: Sequence[tf.Tensor],
    weights: Sequence[tf.Tensor],
    given: Sequence[bool],
    mask: tf.Tensor | None = None,
    recurrent_dropout_mask: tf.Tensor | None = None,
    options: Options = Options(),
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """`lstm` from inputs (time, batch, features), and weights W, R, and those of b and p given."""
    kernel, recurrent_kernel, *present = weights
    bias, peepholes = unpack(given, present)
    z = tf.tensordot(inputs, kernel, axes=1)
    if bias is not None:
        z = z + bias
    state = tuple(initial_state)
    return lstm(z, recurrent_kernel, peepholes, state, mask, recurrent_dropout_mask, options)


class Gradients(NamedTuple):
    """dz (time, batch, 4 * units), dR, dp of each peephole there is, dh_0 and dc_0."""

    z: tf.Tensor
    recurrent_kernel: tf.Tensor
    peepholes: list[tf.Tensor]
    state: tuple[tf.Tensor, tf.Tensor]


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
    terms = peephole_terms(Gates(*tf.split(d_z, 4, axis=-1)), (c_before, steps.c), peepholes)
    d_peepholes = [tf.reduce_sum(term, axis=[0, 1]) for term in terms]
    fed_back = h_before if m is None else h_before * m
    d_recurrent_kernel = weight_gradient(fed_back, d_z, recurrent_kernel.dtype)
    return Gradients(d_z, d_recurrent_kernel, d_peepholes, (d_h_0, d_c_0))


def _forward(z, recurrent_kernel, p, h_0, c_0, mask, m, options):
    """All steps: the last (h, c), and `Step` with a leading time dimension."""

    def step(t, state):
        h, c = state
        products = tf.cast(z[t], h.dtype) + product(h if m is None else h * m, recurrent_kernel)
        new = lstm_step(products, c, p, options)
        if mask is not None:
            keep = mask[t][:, None]
            new = new._replace(c=tf.where(keep, new.c, c), h=tf.where(keep, new.h, h))
        # All six leave the loop as arrays of their own: the backward pass needs them, and XLA on
        # CPU would otherwise compute a gate again inside each of its consumers.
        return (new.h, new.c), new

    state, values = scan(
        step, (h_0, c_0), step_count(z, options.unroll), [h_0] * 6, unroll=options.unroll
    )
    return state, Step(*values)


def _backward(steps, c_before, recurrent_kernel, p, mask, m, options, d_h_all, d_h_last, d_c_last):
    """The backward equations: gradients of z (time, batch, 4 * units), h_0 and c_0."""

    def step(t, carry):
        d_h, d_c = carry
        i, f, g, o, c, _ = (values[t] for values in steps)
        d_h = d_h + d_h_all[t]
        d_gates, d_c_before = lstm_step_backward(
            Gates(i, f, g, o), (c_before[t], c), (d_h, d_c), p, options
        )
        d_z = tf.concat(d_gates, axis=-1)
        if mask is not None:
            keep = mask[t][:, None]
            d_z = tf.where(keep, d_z, tf.zeros_like(d_z))
        d_h_before = product(d_z, recurrent_kernel, transpose=True)
        if m is not None:
            d_h_before = d_h_before * m
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
