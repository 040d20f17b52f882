"""One step of the GRU, forward and backward, for every loop over time.

Forward (Cho et al. 2014, equations 5 to 8; gate order z, r, n as in Keras). With a = x W + b, h'
the previous state, m an optional dropout mask, u what the reset gate multiplies, and s the state's
share in the candidate:

    z = σ(a_z + (h'⊙m) R_z + d_z)
    r = σ(a_r + (h'⊙m) R_r + d_r)
    u = (h'⊙m) R_n + d_n,  s = r ⊙ u        reset_after (as cuDNN; d is a second bias)
    u = h'⊙m,              s = (r ⊙ u) R_n  otherwise (as published; d = 0)
    n = φ(a_n + s)
    h = z ⊙ h' + (1 - z) ⊙ n

Backward. Write d(·) for the derivative of the loss, and p for all products with R together. Where
dh holds the gradient of this step's output plus what the following step sent back:

    da_z = dh ⊙ (h' - n) ⊙ σ'(z)
    da_n = dh ⊙ (1 - z) ⊙ φ'(n)
    reset_after:  da_r = da_n ⊙ u ⊙ σ'(r),  dp = [da_z, da_r, da_n ⊙ r]
                  dh' = dh ⊙ z + (dp Rᵀ) ⊙ m
    otherwise:    ds = da_n R_nᵀ,  da_r = ds ⊙ u ⊙ σ'(r),  dp = da
                  dh' = dh ⊙ z + ([da_z, da_r] R_zrᵀ + ds ⊙ r) ⊙ m

Only this chain is sequential. The weights' gradients are products over all steps at once:

    dW = Σ_t xᵀ da,   db = Σ da
    reset_after:  dR = Σ (h'⊙m)ᵀ dp,  dd = Σ dp
    otherwise:    dR_zr = Σ (h'⊙m)ᵀ [da_z, da_r],  dR_n = Σ (r⊙u)ᵀ da_n

Derivatives of the activations are written in terms of their values, so that the forward pass keeps
values and no arguments.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from lstm_layers.recurrences import activations
from lstm_layers.recurrences.scan import product


class Options(NamedTuple):
    """What is fixed when the graph is traced; `reset_after` as in the module's docstring."""

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reset_after: bool = True
    unroll: bool = False


class Step(NamedTuple):
    """One step's values, each (batch, units), or all steps' (time, batch, units)."""

    z: tf.Tensor
    r: tf.Tensor
    n: tf.Tensor
    u: tf.Tensor
    h: tf.Tensor


def factors(recurrent_kernel: tf.Tensor, options: Options) -> tuple[tf.Tensor, ...]:
    """What a step multiplies by: R, or R_zr and R_n. Cut before a loop: each cut is a copy."""
    if options.reset_after:
        return (recurrent_kernel,)
    units = recurrent_kernel.shape[0]
    return recurrent_kernel[:, : 2 * units], recurrent_kernel[:, 2 * units :]


def gru_step(
    a: tf.Tensor,
    h_before: tf.Tensor,
    fed_back: tf.Tensor,
    kernels: tuple[tf.Tensor, ...],
    recurrent_bias: tf.Tensor | None,
    options: Options,
) -> Step:
    """The forward equations.

    Args:
        a: (batch, 3 * units), x W + b.
        h_before: (batch, units), h'.
        fed_back: (batch, units), h' ⊙ m.
        kernels: `factors` of R.
        recurrent_bias: (3 * units,), d; None for zero, and unless `reset_after`.
        options: activations and variant.
    """
    sigma = activations.ACTIVATIONS[options.recurrent_activation].function
    phi = activations.ACTIVATIONS[options.activation].function
    a_z, a_r, a_n = tf.split(a, 3, axis=-1)
    products = product(fed_back, kernels[0])
    if options.reset_after:
        if recurrent_bias is not None:
            products = products + recurrent_bias
        p_z, p_r, u = tf.split(products, 3, axis=-1)
        z, r = sigma(a_z + p_z), sigma(a_r + p_r)
        s = r * u
    else:
        p_z, p_r = tf.split(products, 2, axis=-1)
        z, r, u = sigma(a_z + p_z), sigma(a_r + p_r), fed_back
        s = product(r * u, kernels[1])
    n = phi(a_n + s)
    return Step(z, r, n, u, z * h_before + (1.0 - z) * n)


def gru_step_backward(
    values: Step,
    h_before: tf.Tensor,
    d_h: tf.Tensor,
    kernels: tuple[tf.Tensor, ...],
    recurrent_dropout_mask: tf.Tensor | None,
    options: Options,
) -> tuple[tf.Tensor, ...]:
    """The backward equations.

    Args:
        values: of the forward step; its h is not read.
        h_before: (batch, units), h'.
        d_h: (batch, units), dh.
        kernels: `factors` of R, each transposed.
        recurrent_dropout_mask: (batch, units), m.
        options: activations and variant.

    Returns:
        da (batch, 3 * units); dp likewise if `reset_after`, else it is da; and dh'.
    """
    d_sigma = activations.ACTIVATIONS[options.recurrent_activation].derivative
    d_phi = activations.ACTIVATIONS[options.activation].derivative
    z, r, n, u, _ = values
    d_z = d_h * (h_before - n) * d_sigma(z)
    d_n = d_h * (1.0 - z) * d_phi(n)
    if options.reset_after:
        d_r = d_n * u * d_sigma(r)
        d_products = tf.concat([d_z, d_r, d_n * r], axis=-1)
        written: tuple[tf.Tensor, ...] = tf.concat([d_z, d_r, d_n], axis=-1), d_products
        d_fed_back = product(d_products, kernels[0])
    else:
        d_s = product(d_n, kernels[1])
        d_r = d_s * u * d_sigma(r)
        written = (tf.concat([d_z, d_r, d_n], axis=-1),)
        d_fed_back = product(tf.concat([d_z, d_r], axis=-1), kernels[0]) + d_s * r
    if recurrent_dropout_mask is not None:
        d_fed_back = d_fed_back * recurrent_dropout_mask
    return *written, d_h * z + d_fed_back
