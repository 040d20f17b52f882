"""The GRU loop in `keras.ops`, for any backend, with the backend's own gradient."""

from __future__ import annotations

import functools

from keras import ops

from lstm_layers.recurrences import portable
from lstm_layers.recurrences.gru_step import Options, Weights, factors, gru_step


def run(x, mask, initial, weights: Weights, options: Options) -> tuple:
    """Runs the GRU over time; arguments and results as in `gru_graph.run`."""
    kernel = ops.cast(weights.recurrent_kernel, initial[0].dtype)
    product = functools.partial(portable.product, dtype=weights.recurrent_kernel.dtype)
    d, m = weights.recurrent_bias, weights.recurrent_dropout_mask

    def step(state, a, keep=None):
        (h,) = state
        fed_back = h if m is None else h * m
        kernels = factors(kernel, options)  # in the loop: the gradient of R adds up as one matrix
        new = gru_step(ops.cast(a, h.dtype), h, fed_back, kernels, d, options, product).h
        return [new if keep is None else ops.where(keep[:, None], new, h)]

    a = portable.input_products(x, weights.kernel, weights.bias)
    return portable.scan(step, initial, [a] if mask is None else [a, mask], unroll=options.unroll)
