"""The equations of one GRU step, forward and backward: every loop over time calls them.

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
dh holds the gradient of this step's output plus what the next step sent back:

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

The forward equations are `keras.ops` and run on any backend. A loop is a function
`run(x, mask, initial, weights, options) -> (outputs, final)`; see `implementations`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

from lstm_layers.recurrences import activations


class Weights(NamedTuple):
    """Tensors that a loop multiplies with; None where absent.

    W, R and b have the dtype of the products, 16 bits or more; the others that of the states.

    Attributes:
        kernel: W (features, 3 * units), gates in the order z, r, n.
        recurrent_kernel: R (units, 3 * units).
        bias: b (3 * units,).
        recurrent_bias: d (3 * units,), only with `reset_after`.
        recurrent_dropout_mask: m (batch, units), which is drawn and not learned.
    """

    kernel: Any
    recurrent_kernel: Any
    bias: Any = None
    recurrent_bias: Any = None
    recurrent_dropout_mask: Any = None


class Options(NamedTuple):
    """Settings that are fixed when a graph is traced.

    Attributes:
        activation: name of φ, a key of `activations.ACTIVATIONS`.
        recurrent_activation: name of σ, likewise.
        reset_after: multiply the reset gate after the product with R, see above.
        unroll: write the steps out instead of looping; needs a static time dimension.
        training: keep the values that a gradient needs, where that is a choice ("xla").
    """

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reset_after: bool = True
    unroll: bool = False
    training: bool = True


class Step(NamedTuple):
    """Values of one step, each (batch, units), or of all steps, (time, batch, units)."""

    z: Any
    r: Any
    n: Any
    u: Any
    h: Any


def factors(recurrent_kernel, options: Options) -> tuple:
    """Returns the matrices that a step multiplies with: R, or R_zr and R_n.

    Call it before a loop that TensorFlow runs: each cut is a copy.
    """
    if options.reset_after:
        return (recurrent_kernel,)
    units = recurrent_kernel.shape[0]
    return recurrent_kernel[:, : 2 * units], recurrent_kernel[:, 2 * units :]


def gru_step(
    a, h_before, fed_back, kernels: tuple, recurrent_bias, options: Options, product: Callable
) -> Step:
    """Computes the forward equations.

    Args:
        a: (batch, 3 * units), x W + b.
        h_before: (batch, units), h'.
        fed_back: (batch, units), h' ⊙ m.
        kernels: `factors` of R.
        recurrent_bias: (3 * units,), d; None for zero, and unless `reset_after`.
        options: activations and variant.
        product: matrix product of values and a kernel, in the dtype of the values.
    """
    sigma = activations.ACTIVATIONS[options.recurrent_activation].function
    phi = activations.ACTIVATIONS[options.activation].function
    a_z, a_r, a_n = ops.split(a, 3, axis=-1)
    products = product(fed_back, kernels[0])
    if options.reset_after:
        if recurrent_bias is not None:
            products = products + recurrent_bias
        p_z, p_r, u = ops.split(products, 3, axis=-1)
        z, r = sigma(a_z + p_z), sigma(a_r + p_r)
        s = r * u
    else:
        p_z, p_r = ops.split(products, 2, axis=-1)
        z, r, u = sigma(a_z + p_z), sigma(a_r + p_r), fed_back
        s = product(r * u, kernels[1])
    n = phi(a_n + s)
    return Step(z, r, n, u, z * h_before + (1.0 - z) * n)


def gru_step_backward(
    values: Step,
    h_before: Any,
    d_h: Any,
    kernels: tuple[Any, ...],
    recurrent_dropout_mask: Any | None,
    options: Options,
    product: Callable,
) -> tuple[Any, ...]:
    """Computes the backward equations, on TensorFlow only.

    Args:
        values: of the forward step; its h is not read.
        h_before: (batch, units), h'.
        d_h: (batch, units), dh.
        kernels: `factors` of R, each transposed.
        recurrent_dropout_mask: (batch, units), m.
        options: activations and variant.
        product: see `gru_step`.

    Returns:
        da (batch, 3 * units); dp likewise if `reset_after`, else it is da; and dh'.
    """
    import tensorflow as tf  # `ops.concatenate` takes twice as long as `tf.concat`, at every step

    d_sigma = activations.ACTIVATIONS[options.recurrent_activation].derivative
    d_phi = activations.ACTIVATIONS[options.activation].derivative
    z, r, n, u, _ = values
    d_z = d_h * (h_before - n) * d_sigma(z)
    d_n = d_h * (1.0 - z) * d_phi(n)
    if options.reset_after:
        d_r = d_n * u * d_sigma(r)
        d_products = tf.concat([d_z, d_r, d_n * r], axis=-1)
        written: tuple[Any, ...] = tf.concat([d_z, d_r, d_n], axis=-1), d_products
        d_fed_back = product(d_products, kernels[0])
    else:
        d_s = product(d_n, kernels[1])
        d_r = d_s * u * d_sigma(r)
        written = (tf.concat([d_z, d_r, d_n], axis=-1),)
        d_fed_back = product(tf.concat([d_z, d_r], axis=-1), kernels[0]) + d_s * r
    if recurrent_dropout_mask is not None:
        d_fed_back = d_fed_back * recurrent_dropout_mask
    return *written, d_h * z + d_fed_back
