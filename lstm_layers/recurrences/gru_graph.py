"""The GRU recurrence as a pure function with its own gradient.

One loop forward and one backward over the equations of `gru_step`, with a = x W + b computed for
all steps at once beforehand. da is handed back as the gradient of a, from which TensorFlow derives
those of x, W and b. A masked step copies h, so its da is zero and dh passes through. Precision as
in `lstm_graph`.
"""

from __future__ import annotations

import tensorflow as tf

from lstm_layers.recurrences.gru_step import Options, Step, factors, gru_step, gru_step_backward
from lstm_layers.recurrences.scan import scan, step_count, weight_gradient


def gru(
    a: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    recurrent_bias: tf.Tensor | None,
    h_0: tf.Tensor,
    mask: tf.Tensor | None = None,
    recurrent_dropout_mask: tf.Tensor | None = None,
    options: Options = Options(),
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs the recurrence over time.

    Args:
        a: (time, batch, 3 * units), the input products x W + b, gates in the order z, r, n.
        recurrent_kernel: (units, 3 * units), R in the same gate order.
        recurrent_bias: (3 * units,), d; None for zero, and unless `reset_after`.
        h_0: (batch, units).
        mask: (time, batch) bool, False where h is to be copied from the step before.
        recurrent_dropout_mask: (batch, units), m.
        options: activations, variant, and whether to unroll.

    Returns:
        h at every step (time, batch, units), and the last h (batch, units).
    """
    # custom_gradient takes a flat list of tensors; what is absent is left out of it.
    optional = (recurrent_bias, recurrent_dropout_mask)
    present = [tensor for tensor in optional if tensor is not None]

    @tf.custom_gradient
    def recurrence(a, recurrent_kernel, h_0, *given):
        remaining = iter(given)
        d, m = (None if slot is None else next(remaining) for slot in optional)
        h_last, steps = _forward(a, recurrent_kernel, d, h_0, mask, m, options)

        def gradient(d_h, d_h_last):
            h_before = tf.concat([h_0[None], steps.h[:-1]], axis=0)
            d_a, d_products, d_h_0 = _backward(
                steps, h_before, recurrent_kernel, mask, m, options, d_h, d_h_last
            )
            fed_back = h_before if m is None else h_before * m
            d_recurrent_kernel = recurrent_kernel_gradient(
                fed_back, steps.r, d_products, recurrent_kernel.dtype, options
            )
            d_given = []
            if d is not None:
                d_given.append(tf.reduce_sum(d_products, axis=[0, 1]))
            if m is not None:
                d_given.append(tf.zeros_like(m))  # a dropout mask is drawn, not learned
            return tf.cast(d_a, a.dtype), d_recurrent_kernel, d_h_0, *d_given

        return (steps.h, h_last), gradient

    return recurrence(a, recurrent_kernel, h_0, *present)


def recurrent_kernel_gradient(
    fed_back: tf.Tensor, r: tf.Tensor, d_products: tf.Tensor, dtype: tf.DType, options: Options
) -> tf.Tensor:
    """dR from h' ⊙ m, r and dp of all steps, each (time, batch, …)."""
    if options.reset_after:
        return weight_gradient(fed_back, d_products, dtype)
    d_z, d_r, d_n = tf.split(d_products, 3, axis=-1)
    d_gates = weight_gradient(fed_back, tf.concat([d_z, d_r], axis=-1), dtype)
    return tf.concat([d_gates, weight_gradient(r * fed_back, d_n, dtype)], axis=-1)


def _forward(a, recurrent_kernel, d, h_0, mask, m, options):
    """All steps: the last h, and `Step` with a leading time dimension."""
    kernels = factors(recurrent_kernel, options)

    def step(t, state):
        (h,) = state
        fed_back = h if m is None else h * m
        new = gru_step(tf.cast(a[t], h.dtype), h, fed_back, kernels, d, options)
        if mask is not None:
            new = new._replace(h=tf.where(mask[t][:, None], new.h, h))
        return (new.h,), new

    steps = step_count(a, options.unroll)
    (h_last,), values = scan(step, (h_0,), steps, [h_0] * 5, unroll=options.unroll)
    return h_last, Step(*values)


def _backward(steps, h_before, recurrent_kernel, mask, m, options, d_h_all, d_h_last):
    """The backward equations: gradients of a, of the products with R, and of h_0."""
    kernels = tuple(tf.transpose(kernel) for kernel in factors(recurrent_kernel, options))

    def step(t, carry):
        d_h = carry[0] + d_h_all[t]
        values = Step(*(value[t] for value in steps))
        *written, d_h_before = gru_step_backward(values, h_before[t], d_h, kernels, m, options)
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
