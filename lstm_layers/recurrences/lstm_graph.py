"""The LSTM loop in a While loop of TensorFlow, with its own gradient.

One loop forward and one backward over the equations of `lstm_step`, with z = x W + b computed for
all steps at once beforehand. dz is returned as the gradient of z, from which TensorFlow derives
those of x, W and b, again in single products. A masked step copies h and c, so its dz is zero and
dh, dc pass through.

Precision: products with R run in the dtype of R; gates and states run in float32 where that dtype
is a 16-bit one, since a cell state that adds up in bfloat16 loses every increment under 1/256 of
itself.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from lstm_layers.recurrences.lstm_step import (
    Gates,
    Options,
    Step,
    Weights,
    lstm_step,
    lstm_step_backward,
    peephole_terms,
)
from lstm_layers.recurrences.masked_products import masked_products
from lstm_layers.recurrences.scan import (
    given,
    present,
    product,
    restored,
    scan,
    step_count,
    steps_before,
    weight_gradient,
)


def run(
    x: tf.Tensor,
    mask: tf.Tensor | None,
    initial: tuple[tf.Tensor, tf.Tensor],
    weights: Weights,
    options: Options,
) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
    """Runs the LSTM over time.

    Args:
        x: (time, batch, features), in the dtype of the products.
        mask: (time, batch) bool, False where h and c are to be copied from the step before; or
            None.
        initial: h and c before the first step, each (batch, units).
        weights: tensors.
        options: activations, and whether to unroll.

    Returns:
        h at every step (time, batch, units), and the last h and c, each (batch, units).
    """
    z = masked_products(x, weights.kernel, weights.bias, mask)
    of_the_loop = weights._replace(kernel=None, bias=None)
    which = given(of_the_loop)

    @tf.custom_gradient
    def recurrence(z, recurrent_kernel, h_0, c_0, *others):
        w = restored(which, (recurrent_kernel, *others))
        (h_last, c_last), steps = _forward(z, w, h_0, c_0, mask, options)

        def gradient(*arriving):
            found = gradients(steps, w, (h_0, c_0), mask, options, arriving)
            of_others = found.peepholes
            if w.recurrent_dropout_mask is not None:  # drawn, not learned
                of_others = [*of_others, tf.zeros_like(w.recurrent_dropout_mask)]
            return tf.cast(found.z, z.dtype), found.recurrent_kernel, *found.state, *of_others

        return (steps.h, h_last, c_last), gradient

    recurrent_kernel, *others = present(of_the_loop)
    h, *final = recurrence(z, recurrent_kernel, *initial, *others)
    return h, tuple(final)


class Gradients(NamedTuple):
    """Gradients dz (time, batch, 4 * units), dR, dp of each peephole present, dh_0 and dc_0."""

    z: tf.Tensor
    recurrent_kernel: tf.Tensor
    peepholes: list[tf.Tensor]
    state: tuple[tf.Tensor, tf.Tensor]


def gradients(
    steps: Step,
    weights: Weights,
    initial: tuple[tf.Tensor, tf.Tensor],
    mask: tf.Tensor | None,
    options: Options,
    arriving: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
) -> Gradients:
    """Runs the backward pass, for any implementation of the forward one.

    Args:
        steps: values of the forward pass, each (time, batch, units).
        weights, initial, mask, options: those of the forward pass, see `run`; W and b are not read.
        arriving: gradients of h at every step, and of the last h and c.
    """
    h_0, c_0 = initial
    h_before, c_before = steps_before(h_0, steps.h), steps_before(c_0, steps.c)
    d_z, d_h_0, d_c_0 = _backward(steps, c_before, weights, mask, options, *arriving)
    cells = c_before, steps.c
    terms = peephole_terms(Gates(*tf.split(d_z, 4, axis=-1)), cells, weights.peepholes)
    d_peepholes = [tf.reduce_sum(term, axis=[0, 1]) for term in terms]
    m = weights.recurrent_dropout_mask
    fed_back = h_before if m is None else h_before * m
    d_recurrent_kernel = weight_gradient(fed_back, d_z, weights.recurrent_kernel.dtype)
    return Gradients(d_z, d_recurrent_kernel, d_peepholes, (d_h_0, d_c_0))


def _forward(z, weights, h_0, c_0, mask, options):
    """Returns the last (h, c), and `Step` with a leading time dimension."""
    m, peepholes = weights.recurrent_dropout_mask, weights.peepholes

    def step(t, state):
        h, c = state
        fed_back = h if m is None else h * m
        products = tf.cast(z[t], h.dtype) + product(fed_back, weights.recurrent_kernel)
        new = lstm_step(products, c, peepholes, options)
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


def _backward(steps, c_before, weights, mask, options, d_h_all, d_h_last, d_c_last):
    """Returns the gradients of z (time, batch, 4 * units), h_0 and c_0."""
    m, peepholes = weights.recurrent_dropout_mask, weights.peepholes

    def step(t, carry):
        d_h, d_c = carry
        i, f, g, o, c, _ = (values[t] for values in steps)
        d_h = d_h + d_h_all[t]
        d_gates, d_c_before = lstm_step_backward(
            Gates(i, f, g, o), (c_before[t], c), (d_h, d_c), peepholes, options
        )
        d_z = tf.concat(d_gates, axis=-1)
        if mask is not None:
            keep = mask[t][:, None]
            d_z = tf.where(keep, d_z, tf.zeros_like(d_z))
        d_h_before = product(d_z, weights.recurrent_kernel, transpose=True)
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
