"""The GRU loop in a While loop of TensorFlow, with its own gradient.

One loop forward and one backward over the equations of `gru_step`, with a = x W + b computed for
all steps at once beforehand. da is returned as the gradient of a, from which TensorFlow derives
those of x, W and b. A masked step copies h, so its da is zero and dh passes through. Precision as
in `lstm_graph`.
"""

from __future__ import annotations

import tensorflow as tf

from lstm_layers.recurrences.gru_step import (
    Options,
    Step,
    Weights,
    factors,
    gru_step,
    gru_step_backward,
)
from lstm_layers.recurrences.masked_products import masked_products
from lstm_layers.recurrences.scan import (
    given,
    of_real_steps,
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
    initial: tuple[tf.Tensor],
    weights: Weights,
    options: Options,
) -> tuple[tf.Tensor, tuple[tf.Tensor]]:
    """Runs the GRU over time.

    Args:
        x: (time, batch, features), in the dtype of the products.
        mask: (time, batch) bool, False where h is to be copied from the step before; or None.
        initial: h before the first step, (batch, units), as a tuple of one.
        weights: tensors.
        options: activations, variant, and whether to unroll.

    Returns:
        h at every step (time, batch, units), and the last h (batch, units) as a tuple of one.
    """
    a = masked_products(x, weights.kernel, weights.bias, mask)
    of_the_loop = weights._replace(kernel=None, bias=None)
    which = given(of_the_loop)

    @tf.custom_gradient
    def recurrence(a, recurrent_kernel, h_0, *others):
        w = restored(which, (recurrent_kernel, *others))
        m = w.recurrent_dropout_mask
        h_last, steps = _forward(a, w, h_0, mask, options)

        def gradient(d_h, d_h_last):
            h_before = steps_before(h_0, steps.h)
            d_a, d_products, d_h_0 = _backward(steps, h_before, w, mask, options, d_h, d_h_last)
            fed_back = h_before if m is None else h_before * m
            r = steps.r if options.reset_after else of_real_steps(steps.r, mask)
            d_recurrent_kernel = recurrent_kernel_gradient(
                fed_back, r, d_products, recurrent_kernel.dtype, options
            )
            of_others = []
            if w.recurrent_bias is not None:
                of_others.append(tf.reduce_sum(d_products, axis=[0, 1]))
            if m is not None:
                of_others.append(tf.zeros_like(m))  # drawn, not learned
            return tf.cast(d_a, a.dtype), d_recurrent_kernel, d_h_0, *of_others

        return (steps.h, h_last), gradient

    recurrent_kernel, *others = present(of_the_loop)
    h, *final = recurrence(a, recurrent_kernel, *initial, *others)
    return h, tuple(final)


def recurrent_kernel_gradient(
    fed_back: tf.Tensor, r: tf.Tensor, d_products: tf.Tensor, dtype: tf.DType, options: Options
) -> tf.Tensor:
    """Returns dR from h' ⊙ m, r and dp of all steps, each (time, batch, …)."""
    if options.reset_after:
        return weight_gradient(fed_back, d_products, dtype)
    d_z, d_r, d_n = tf.split(d_products, 3, axis=-1)
    d_gates = weight_gradient(fed_back, tf.concat([d_z, d_r], axis=-1), dtype)
    return tf.concat([d_gates, weight_gradient(r * fed_back, d_n, dtype)], axis=-1)


def _forward(a, weights, h_0, mask, options):
    """Returns the last h, and `Step` with a leading time dimension."""
    kernels = factors(weights.recurrent_kernel, options)
    d, m = weights.recurrent_bias, weights.recurrent_dropout_mask

    def step(t, state):
        (h,) = state
        fed_back = h if m is None else h * m
        new = gru_step(tf.cast(a[t], h.dtype), h, fed_back, kernels, d, options, product)
        if mask is not None:
            new = new._replace(h=tf.where(mask[t][:, None], new.h, h))
        return (new.h,), new

    steps = step_count(a, options.unroll)
    (h_last,), values = scan(step, (h_0,), steps, [h_0] * 5, unroll=options.unroll)
    return h_last, Step(*values)


def _backward(steps, h_before, weights, mask, options, d_h_all, d_h_last):
    """Returns the gradients of a, of the products with R, and of h_0."""
    m = weights.recurrent_dropout_mask
    kernels = tuple(tf.transpose(each) for each in factors(weights.recurrent_kernel, options))

    def step(t, carry):
        d_h = carry[0] + d_h_all[t]
        values = Step(*(value[t] for value in steps))
        *written, d_h_before = gru_step_backward(
            values, h_before[t], d_h, kernels, m, options, product
        )
        if mask is not None:
            keep = mask[t][:, None]
            written = [tf.where(keep, value, tf.zeros_like(value)) for value in written]
            d_h_before = tf.where(keep, d_h_before, d_h)
        return (d_h_before,), written

    gates = tf.concat([d_h_last] * 3, axis=-1)
    (d_h_0,), written = scan(
        step,
        (d_h_last,),
        step_count(d_h_all, options.unroll),
        [gates] * (2 if options.reset_after else 1),
        reverse=True,
        unroll=options.unroll,
    )
    return written[0], written[-1], d_h_0
