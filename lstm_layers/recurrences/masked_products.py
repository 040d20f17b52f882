"""Products of all inputs with W in TensorFlow, whose gradient leaves masked steps out."""

from __future__ import annotations

import tensorflow as tf

from lstm_layers.recurrences.portable import input_products
from lstm_layers.recurrences.scan import of_real_steps, weight_gradient


def masked_products(
    x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | None, mask: tf.Tensor | None
) -> tf.Tensor:
    """Returns x W + b as `input_products` does, with a gradient of W over real steps alone."""
    if mask is None:
        return input_products(x, kernel, bias)

    @tf.custom_gradient
    def products(x, kernel):
        def gradient(d_z):
            rows = tf.reshape(d_z, [-1, d_z.shape[-1]])
            d_x = tf.reshape(tf.matmul(rows, kernel, transpose_b=True), tf.shape(x))
            return d_x, weight_gradient(of_real_steps(x, mask), d_z, kernel.dtype)

        return input_products(x, kernel, None), gradient

    z = products(x, kernel)
    return z if bias is None else z + bias
