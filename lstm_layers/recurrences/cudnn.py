"""NVIDIA's cuDNN kernel for a whole loop, through TensorFlow's `CudnnRNNV3` operation.

The operation takes all weights as one vector: each gate's W and R transposed, then each gate's
biases, W's before R's. It computes the loop of an LSTM without peepholes, and that of a GRU whose
reset gate acts after the product; every row has all steps. TensorFlow has a gradient for it, and
none of that gradient.

`implementations` sees to it that a GPU is there; without one the operation cannot run.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def run(
    kind: str,
    x: tf.Tensor,
    h_0: tf.Tensor,
    c_0: tf.Tensor | None,
    kernels: Sequence[tf.Tensor],
    biases: Sequence[tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """Runs a loop; everything is float32, or float64.

    Args:
        kind: "lstm", with the gates i, f, g, o, or "gru", with r, z, n.
        x: (time, batch, features).
        h_0: (batch, units).
        c_0: (batch, units); None for a GRU.
        kernels: W of each gate, (features, units), then R of each gate, (units, units).
        biases: (units,) of each gate, those added to the product with W first.

    Returns:
        h at every step (time, batch, units), the last h, and the last c, None for a GRU.
    """
    flat = [tf.reshape(tf.transpose(each), [-1]) for each in kernels]
    found = tf.raw_ops.CudnnRNNV3(
        input=x,
        input_h=h_0[None],
        input_c=tf.zeros([], x.dtype) if c_0 is None else c_0[None],
        params=tf.concat([*flat, *biases], axis=0),
        sequence_lengths=tf.fill([tf.shape(x)[1]], tf.shape(x)[0]),
        rnn_mode=kind,
        is_training=True,  # else it keeps nothing for a gradient
        time_major=True,
    )
    return found.output, found.output_h[0], None if c_0 is None else found.output_c[0]
