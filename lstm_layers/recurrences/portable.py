"""The loop over time on any backend, differentiated by the backend itself.

`scan` here takes a step in `keras.ops`, and every backend loops in its own way: JAX with
`lax.scan`, PyTorch step by step, TensorFlow with a While loop. The loops of the module `scan`, with
gradients derived by hand, are for TensorFlow only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras


def scan(
    step: Callable,
    carry: Sequence,
    sequences: Sequence,
    *,
    unroll: bool = False,
) -> tuple:
    """Calls `step(carry, *values at t) -> carry` for every t, and keeps the first of each carry.

    Args:
        step: one step; the carry's shapes and dtypes stay the same.
        carry: tensors that the first step receives.
        sequences: tensors (time, …), one or more.
        unroll: write the steps out instead of a loop; needs a static time dimension.

    Returns:
        The first tensor of the carry after each step, (time, *its shape), and the last carry.

    Raises:
        ValueError: if the loop is to be written out over a time dimension that is not static.
    """
    carry, sequences = tuple(carry), tuple(sequences)
    backend = keras.backend.backend()
    if unroll or backend not in ("tensorflow", "jax"):
        return _written_out(step, carry, sequences)
    if backend == "tensorflow":
        return _while_loop(step, carry, sequences)

    def body(carry, values):
        carry = tuple(step(carry, *values))
        return carry, carry[0]

    last, outputs = keras.ops.scan(body, carry, sequences)
    return outputs, last


def input_products(inputs, kernel, bias):
    """Returns x W + b for inputs (…, features): (…, gates * units), as one product."""
    *leading, features = keras.ops.shape(inputs)
    z = keras.ops.matmul(keras.ops.reshape(inputs, (-1, features)), kernel)
    if bias is not None:
        z = z + bias
    return keras.ops.reshape(z, (*leading, z.shape[-1]))


def product(values, kernel, dtype):
    """Multiplies values with kernel in `dtype`, and returns the dtype of `values`.

    Hand the kernel to a loop in at least 32 bits: its gradient, a sum over the steps, is then added
    up in them.
    """
    products = keras.ops.matmul(keras.ops.cast(values, dtype), keras.ops.cast(kernel, dtype))
    return keras.ops.cast(products, values.dtype)


def _written_out(step, carry, sequences):
    if sequences[0].shape[0] is None:
        raise ValueError("unroll=True needs a time dimension that is known when the graph is built")
    outputs = []
    # Unstacked once: indexing step by step would cost a gradient of the whole length each time.
    for values in zip(*(keras.ops.unstack(each, axis=0) for each in sequences), strict=True):
        carry = tuple(step(carry, *values))
        outputs.append(carry[0])
    if not outputs:
        return keras.ops.zeros((0, *keras.ops.shape(carry[0])), carry[0].dtype), carry
    return keras.ops.stack(outputs), carry


def _while_loop(step, carry, sequences):
    """Loops with a bound on the steps, which `keras.ops.scan` lacks and XLA's gradient needs."""
    import tensorflow as tf

    from lstm_layers.recurrences.scan import stacked

    time = tf.shape(sequences[0])[0] if sequences[0].shape[0] is None else sequences[0].shape[0]
    arrays = [
        tf.TensorArray(each.dtype, time, element_shape=each.shape[1:]).unstack(each)
        for each in sequences
    ]
    outputs = tf.TensorArray(carry[0].dtype, time, element_shape=carry[0].shape)

    def body(t, carry, outputs):
        carry = tuple(step(carry, *(array.read(t) for array in arrays)))
        return t + 1, carry, outputs.write(t, carry[0])

    _, carry, outputs = tf.while_loop(
        lambda t, *_: t < time, body, (tf.constant(0), carry, outputs), maximum_iterations=time
    )
    return stacked(outputs, carry[0]), carry
