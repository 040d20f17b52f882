"""The GRU loop on an NVIDIA GPU, with `reset_after`: see `cudnn`."""

from __future__ import annotations

import tensorflow as tf

from lstm_layers.recurrences import cudnn
from lstm_layers.recurrences.gru_step import Options, Weights


def run(
    x: tf.Tensor,
    mask: None,
    initial: tuple[tf.Tensor],
    weights: Weights,
    options: Options,
) -> tuple[tf.Tensor, tuple[tf.Tensor]]:
    """Runs the GRU over time.

    Arguments and results as in `gru_graph.run`, but no mask, `reset_after` always, no recurrent
    dropout, tanh and sigmoid only, and no unrolling: `implementations.choose` sees to that.
    """

    def gates(values: tf.Tensor) -> list[tf.Tensor]:
        z, r, n = tf.split(values, 3, axis=-1)
        return [r, z, n]

    none = tf.zeros_like(weights.recurrent_kernel[0])
    biases = [none if each is None else each for each in (weights.bias, weights.recurrent_bias)]
    kernels = [*gates(weights.kernel), *gates(weights.recurrent_kernel)]
    h, last, _ = cudnn.run(
        "gru", x, *initial, None, kernels, [bias for each in biases for bias in gates(each)]
    )
    return h, (last,)
