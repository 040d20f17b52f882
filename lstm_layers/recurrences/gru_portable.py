"""The GRU of `gru_step` in `keras.ops`, for backends other than TensorFlow.

The same equations in the same order. The gradient is the backend's own, through the loop.
"""

from __future__ import annotations

from typing import NamedTuple

from keras import ops

from lstm_layers.recurrences import activations
from lstm_layers.recurrences.portable import product, scan


class Options(NamedTuple):
    """What is fixed beforehand: names of φ and σ, the place of the reset gate."""

    activation: str
    recurrent_activation: str
    reset_after: bool


def gru_step(a, h_before, fed_back, recurrent_kernel, recurrent_bias, options: Options, dtype):
    """The forward equations of one step: h, (batch, units).

    Arguments as in `gru_step.gru_step`, with R as it is, and the dtype of the products.
    """
    sigma = activations.ACTIVATIONS[options.recurrent_activation].function
    phi = activations.ACTIVATIONS[options.activation].function
    units = h_before.shape[-1]
    a_z, a_r, a_n = ops.split(a, 3, axis=-1)
    if options.reset_after:
        products = product(fed_back, recurrent_kernel, dtype)
        if recurrent_bias is not None:
            products = products + recurrent_bias
        p_z, p_r, u = ops.split(products, 3, axis=-1)
        z, r = sigma(a_z + p_z), sigma(a_r + p_r)
        s = r * u
    else:
        p_z, p_r = ops.split(product(fed_back, recurrent_kernel[:, : 2 * units], dtype), 2, axis=-1)
        z, r = sigma(a_z + p_z), sigma(a_r + p_r)
        s = product(r * fed_back, recurrent_kernel[:, 2 * units :], dtype)
    return z * h_before + (1.0 - z) * phi(a_n + s)


def gru(
    a,
    recurrent_kernel,
    recurrent_bias,
    h_0,
    mask,
    recurrent_dropout_mask,
    options: Options,
    unroll: bool,
):
    """Runs the recurrence over time; arguments and results as in `gru_graph.gru`."""
    dtype = recurrent_kernel.dtype
    kernel = ops.cast(recurrent_kernel, h_0.dtype)

    def step(state, a, keep=None):
        (h,) = state
        fed_back = h if recurrent_dropout_mask is None else h * recurrent_dropout_mask
        a = ops.cast(a, h.dtype)
        new = gru_step(a, h, fed_back, kernel, recurrent_bias, options, dtype)
        return [new if keep is None else ops.where(keep[:, None], new, h)]

    sequences = [a] if mask is None else [a, mask]
    outputs, (h_last,) = scan(step, [h_0], sequences, unroll=unroll)
    return outputs, h_last
