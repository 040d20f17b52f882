"""The LSTM loop on an NVIDIA GPU, without peepholes: see `cudnn`."""

from __future__ import annotations

import tensorflow as tf

from lstm_layers.recurrences import cudnn
from lstm_layers.recurrences.lstm_step import Options, Weights


def run(
    x: tf.Tensor,
    mask: None,
    initial: tuple[tf.Tensor, tf.Tensor],
    weights: Weights,
    options: Options,
) -> tuple[tf.Tensor, tuple[tf.Tensor | None, ...]]:
    """Runs the LSTM over time.

    Arguments and results as in `lstm_graph.run`, but no mask, no peepholes, no recurrent dropout,
    tanh and sigmoid only, and no unrolling: `implementations.choose` sees to that.
    """
    kernels = [
        gate
        for kernel in (weights.kernel, weights.recurrent_kernel)
        for gate in tf.split(kernel, 4, axis=1)
    ]
    none = tf.zeros_like(weights.recurrent_kernel[0])  # cuDNN has a second bias
    b = none if weights.bias is None else weights.bias
    h, last, c = cudnn.run("lstm", x, *initial, kernels, [none, b])
    return h, (last, c)
