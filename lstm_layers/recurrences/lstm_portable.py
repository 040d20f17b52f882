"""The LSTM loop in `keras.ops`, for any backend, with the backend's own gradient."""

from __future__ import annotations

from keras import ops

from lstm_layers.recurrences.lstm_step import Options, Weights, lstm_step
from lstm_layers.recurrences.portable import input_products, product, scan


def run(x, mask, initial, weights: Weights, options: Options) -> tuple:
    """Runs the LSTM over time; arguments and results as in `lstm_graph.run`."""
    dtype = weights.recurrent_kernel.dtype
    kernel = ops.cast(weights.recurrent_kernel, initial[0].dtype)
    m, peepholes = weights.recurrent_dropout_mask, weights.peepholes

    def step(state, z, keep=None):
        h, c = state
        fed_back = h if m is None else h * m
        products = ops.cast(z, h.dtype) + product(fed_back, kernel, dtype)
        step = lstm_step(products, c, peepholes, options)
        new = step.h, step.c
        if keep is None:
            return new
        return [ops.where(keep[:, None], *pair) for pair in zip(new, state, strict=True)]

    z = input_products(x, weights.kernel, weights.bias)
    return scan(step, initial, [z] if mask is None else [z, mask], unroll=options.unroll)
