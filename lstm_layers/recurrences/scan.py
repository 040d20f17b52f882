"""What the recurrences share: a loop over time, and products in mixed precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

Step = Callable[
    [tf.Tensor, tuple[tf.Tensor, ...]], tuple[tuple[tf.Tensor, ...], Sequence[tf.Tensor]]
]


def scan(
    step: Step,
    carry: tuple[tf.Tensor, ...],
    time: tf.Tensor | int,
    outputs: Sequence[tf.Tensor],
    *,
    reverse: bool = False,
    unroll: bool = False,
    steps: tuple[tf.Tensor, tf.Tensor] | None = None,
) -> tuple[tuple[tf.Tensor, ...], list[tf.Tensor]]:
    """Calls `step(t, carry) -> (carry, outputs)` for every t, and stacks the outputs.

    `tf.scan` stacks the whole carry and keeps no separate outputs; both cost memory traffic here.

    Args:
        step: one step; t is a scalar int32.
        carry: what the first step receives; shapes and dtypes stay the same.
        time: number of steps; a Python int when `unroll`.
        outputs: one tensor for each output, of which only shape and dtype are read.
        reverse: run from the last t to the first. Outputs are still stacked by t.
        unroll: write the steps out instead of a loop; all of them.
        steps: run from the first of these t to before the second instead, under XLA; the outputs
            at the others are zeros there.

    Returns:
        The last carry, and for each output its values at every t, (time, *output shape).
    """
    if unroll:
        collected: list[Sequence[tf.Tensor]] = []
        for t in reversed(range(int(time))) if reverse else range(int(time)):
            carry, values = step(tf.constant(t), carry)
            collected.append(values)
        if reverse:
            collected.reverse()
        return carry, [tf.stack(values) for values in zip(*collected, strict=True)]

    arrays = tuple(
        tf.TensorArray(output.dtype, size=time, element_shape=output.shape) for output in outputs
    )

    first, end = steps or (0, time)
    # The loop counts t itself. Were t computed from a number outside of the loop, XLA would compile
    # anew for each value of that number, and so for each mask.
    begin, change = (end - 1, -1) if reverse else (first, 1)

    def body(t, carry, arrays):
        carry, values = step(t, carry)
        return (
            t + change,
            carry,
            tuple(array.write(t, value) for array, value in zip(arrays, values, strict=True)),
        )

    _, carry, arrays = tf.while_loop(
        (lambda t, *_: t >= first) if reverse else (lambda t, *_: t < end),
        body,
        (tf.convert_to_tensor(begin), carry, arrays),
        maximum_iterations=time,
    )
    return carry, [array.stack() for array in arrays]


def step_count(values: tf.Tensor, unroll: bool) -> tf.Tensor | int:
    """The length of the leading time dimension, as a Python int where the loop is unrolled.

    Raises:
        ValueError: if the loop is to be unrolled over a time dimension that is not static.
    """
    if not unroll:
        return tf.shape(values)[0]
    if values.shape[0] is None:
        raise ValueError("unroll=True needs a time dimension that is known when the graph is built")
    return values.shape[0]


def product(values: tf.Tensor, kernel: tf.Tensor, transpose: bool = False) -> tf.Tensor:
    """values · kernel, or values · kernelᵀ, multiplied in the kernel's dtype, in that of values."""
    products = tf.matmul(tf.cast(values, kernel.dtype), kernel, transpose_b=transpose)
    return tf.cast(products, values.dtype)


def weight_gradient(values: tf.Tensor, gradient: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Σ over time and batch of valuesᵀ · gradient, as one product of dtype `dtype`.

    Args:
        values: (time, batch, rows).
        gradient: (time, batch, columns).

    Returns:
        (rows, columns).
    """
    rows = tf.reshape(tf.cast(values, dtype), [-1, values.shape[-1]])
    columns = tf.reshape(tf.cast(gradient, dtype), [-1, gradient.shape[-1]])
    return tf.matmul(rows, columns, transpose_a=True)
