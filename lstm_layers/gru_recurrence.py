"""The GRU recurrence as a pure function with its own gradient.

Forward (Cho et al. 2014, equations 5 to 8; gate order z, r, n as in Keras). With a = x W + b
computed for all steps at once beforehand, h' the previous state, m an optional dropout mask, and
s the product for the candidate:

    z = σ(a_z + (h'⊙m) R_z + d_z)
    r = σ(a_r + (h'⊙m) R_r + d_r)
    s = r ⊙ ((h'⊙m) R_n + d_n)             reset_after (as cuDNN; d is a second bias)
    s = (r ⊙ h'⊙m) R_n                      otherwise (as published; d = 0)
    n = φ(a_n + s)
    h = z ⊙ h' + (1 - z) ⊙ n

Backward, from the last step to the first, with dh the gradient of this step's output plus what the
following step sent back:

    da_z = dh ⊙ (h' - n) ⊙ σ'(z)
    da_n = dh ⊙ (1 - z) ⊙ φ'(n)
    reset_after:  u = (h'⊙m) R_n + d_n,  da_r = da_n ⊙ u ⊙ σ'(r),  du = da_n ⊙ r
                  dh' = dh ⊙ z + ([da_z, da_r, du] Rᵀ) ⊙ m
    otherwise:    ds = da_n R_nᵀ,  da_r = ds ⊙ h'⊙m ⊙ σ'(r)
                  dh' = dh ⊙ z + ([da_z, da_r] R_zrᵀ + ds ⊙ r) ⊙ m

and the weights' gradients as products over all steps at once:

    reset_after:  dR = Σ (h'⊙m)ᵀ [da_z, da_r, du],  dd = Σ [da_z, da_r, du]
    otherwise:    dR_zr = Σ (h'⊙m)ᵀ [da_z, da_r],  dR_n = Σ (r⊙h'⊙m)ᵀ da_n

A masked step copies h, so its da is zero and dh passes through. Precision as in `lstm_recurrence`.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from lstm_layers import activations
from lstm_layers.scan import product, scan, step_count, weight_gradient


class Options(NamedTuple):
    """What is fixed when the graph is traced; `reset_after` as in the module's docstring."""

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reset_after: bool = True
    unroll: bool = False


class Step(NamedTuple):
    """One step's values, each (batch, units), or all steps' (time, batch, units).

    `u` is the candidate's product before the reset gate; zeros unless `reset_after`.
    """

    z: tf.Tensor
    r: tf.Tensor
    n: tf.Tensor
    u: tf.Tensor
    h: tf.Tensor


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
            fed_back = h_before if m is None else h_before * m
            d_a, d_products, d_h_0 = _backward(
                steps, h_before, fed_back, recurrent_kernel, mask, m, options, d_h, d_h_last
            )
            dtype = recurrent_kernel.dtype
            if options.reset_after:
                d_recurrent_kernel = weight_gradient(fed_back, d_products, dtype)
            else:
                d_zr, d_n = d_products[..., : -h_0.shape[-1]], d_products[..., -h_0.shape[-1] :]
                d_recurrent_kernel = tf.concat(
                    [
                        weight_gradient(fed_back, d_zr, dtype),
                        weight_gradient(steps.r * fed_back, d_n, dtype),
                    ],
                    axis=-1,
                )
            d_given = []
            if d is not None:
                d_given.append(tf.reduce_sum(d_products, axis=[0, 1]))
            if m is not None:
                d_given.append(tf.zeros_like(m))  # a dropout mask is drawn, not learned
            return tf.cast(d_a, a.dtype), d_recurrent_kernel, d_h_0, *d_given

        return (steps.h, h_last), gradient

    return recurrence(a, recurrent_kernel, h_0, *present)


def gru_step(
    a: tf.Tensor,
    h_before: tf.Tensor,
    fed_back: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    recurrent_bias: tf.Tensor | None,
    options: Options,
) -> Step:
    """The forward equations of one step.

    Args:
        a: (batch, 3 * units).
        h_before: (batch, units), h'.
        fed_back: (batch, units), h' ⊙ m.
        recurrent_kernel, recurrent_bias, options: see `gru`.
    """
    sigma = activations.ACTIVATIONS[options.recurrent_activation].function
    phi = activations.ACTIVATIONS[options.activation].function
    units = h_before.shape[-1]
    a_z, a_r, a_n = tf.split(a, 3, axis=-1)
    if options.reset_after:
        products = product(fed_back, recurrent_kernel)
        if recurrent_bias is not None:
            products = products + recurrent_bias
        p_z, p_r, u = tf.split(products, 3, axis=-1)
        z, r = sigma(a_z + p_z), sigma(a_r + p_r)
        s = r * u
    else:
        p_z, p_r = tf.split(product(fed_back, recurrent_kernel[:, : 2 * units]), 2, axis=-1)
        z, r = sigma(a_z + p_z), sigma(a_r + p_r)
        u = tf.zeros_like(r)
        s = product(r * fed_back, recurrent_kernel[:, 2 * units :])
    n = phi(a_n + s)
    return Step(z, r, n, u, z * h_before + (1.0 - z) * n)


def _forward(a, recurrent_kernel, d, h_0, mask, m, options):
    """All steps: the last h, and `Step` with a leading time dimension."""

    def step(t, state):
        (h,) = state
        fed_back = h if m is None else h * m
        new = gru_step(tf.cast(a[t], h.dtype), h, fed_back, recurrent_kernel, d, options)
        if mask is not None:
            new = new._replace(h=tf.where(mask[t][:, None], new.h, h))
        return (new.h,), new

    steps = step_count(a, options.unroll)
    (h_last,), values = scan(step, (h_0,), steps, [h_0] * 5, unroll=options.unroll)
    return h_last, Step(*values)


def _backward(steps, h_before, fed_back, recurrent_kernel, mask, m, options, d_h_all, d_h_last):
    """The backward equations: gradients of a, of the products with R, and of h_0."""
    d_sigma = activations.ACTIVATIONS[options.recurrent_activation].derivative
    d_phi = activations.ACTIVATIONS[options.activation].derivative
    units = d_h_last.shape[-1]

    def step(t, carry):
        d_h = carry[0] + d_h_all[t]
        z, r, n, u, _ = (values[t] for values in steps)
        d_z = d_h * (h_before[t] - n) * d_sigma(z)
        d_n = d_h * (1.0 - z) * d_phi(n)
        if mask is not None:
            keep = mask[t][:, None]
            d_z, d_n = (tf.where(keep, value, tf.zeros_like(value)) for value in (d_z, d_n))
        if options.reset_after:
            d_r = d_n * u * d_sigma(r)
            d_last = d_n * r
            products = tf.concat([d_z, d_r, d_last], axis=-1)
            d_fed_back = product(products, recurrent_kernel, transpose=True)
        else:
            d_s = product(d_n, recurrent_kernel[:, 2 * units :], transpose=True)
            d_r = d_s * fed_back[t] * d_sigma(r)
            d_last = d_n
            d_fed_back = d_s * r + product(
                tf.concat([d_z, d_r], axis=-1), recurrent_kernel[:, : 2 * units], transpose=True
            )
        if m is not None:
            d_fed_back = d_fed_back * m
        d_h_before = d_h * z + d_fed_back
        if mask is not None:
            d_h_before = tf.where(keep, d_h_before, d_h)
        return (d_h_before,), (d_z, d_r, d_n, d_last)

    count = step_count(d_h_all, options.unroll)
    (d_h_0,), (d_z, d_r, d_n, d_last) = scan(
        step, (d_h_last,), count, [d_h_last] * 4, reverse=True, unroll=options.unroll
    )
    d_a = tf.concat([d_z, d_r, d_n], axis=-1)
    return d_a, tf.concat([d_z, d_r, d_last], axis=-1), d_h_0
