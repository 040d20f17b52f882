"""The LSTM of `lstm_step` in `keras.ops`, for backends other than TensorFlow.

The same equations in the same order. The gradient is the backend's own, through the loop.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops

from lstm_layers.recurrences import activations
from lstm_layers.recurrences.portable import product, scan


class Peepholes(NamedTuple):
    """Weights from the cell state to the gates, each of shape (units,), or None where absent."""

    input: Any = None
    forget: Any = None
    output: Any = None


def lstm_step(products, c_before, peepholes: Peepholes, activation: str, recurrent_activation: str):
    """The forward equations of one step.

    Args:
        products: (batch, 4 * units), z + (h' ⊙ m) R, gates in the order i, f, g, o.
        c_before: (batch, units), c'.
        peepholes: p_i, p_f and p_o.
        activation, recurrent_activation: names of φ and σ, keys of `activations.ACTIVATIONS`.

    Returns:
        h and c, each (batch, units).
    """
    sigma = activations.ACTIVATIONS[recurrent_activation].function
    phi = activations.ACTIVATIONS[activation].function
    p_i, p_f, p_o = peepholes
    z_i, z_f, z_g, z_o = ops.split(products, 4, axis=-1)
    i = sigma(z_i if p_i is None else z_i + p_i * c_before)
    f = sigma(z_f if p_f is None else z_f + p_f * c_before)
    c = f * c_before + i * phi(z_g)
    o = sigma(z_o if p_o is None else z_o + p_o * c)
    return o * phi(c), c


def lstm(
    z,
    recurrent_kernel,
    peepholes: Peepholes,
    initial_state,
    mask,
    recurrent_dropout_mask,
    activation: str,
    recurrent_activation: str,
    unroll: bool,
):
    """Runs the recurrence over time; arguments and results as in `lstm_graph.lstm`."""
    dtype = recurrent_kernel.dtype
    kernel = ops.cast(recurrent_kernel, initial_state[0].dtype)

    def step(state, z, keep=None):
        h, c = state
        fed_back = h if recurrent_dropout_mask is None else h * recurrent_dropout_mask
        products = ops.cast(z, h.dtype) + product(fed_back, kernel, dtype)
        new = lstm_step(products, c, peepholes, activation, recurrent_activation)
        if keep is None:
            return new
        return [ops.where(keep[:, None], *pair) for pair in zip(new, state, strict=True)]

    sequences = [z] if mask is None else [z, mask]
    outputs, (h_last, c_last) = scan(step, initial_state, sequences, unroll=unroll)
    return outputs, h_last, c_last
