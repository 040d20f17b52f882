"""TensorFlow's part of every loop: the loop itself, its products, and gradients without a tape.

`scan` runs a step over time; `product` and `weight_gradient` multiply in mixed precision.
`present` and `restored` turn weights into the flat tensors that `tf.custom_gradient` takes, and
back. `not_recorded`, `compiled_by_xla` and `gradients_of_unrecorded` use TensorFlow's private
interface, or make up for what it lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

import tensorflow as tf
from tensorflow.python.eager import record
from tensorflow.python.ops import control_flow_util

Tensors = Sequence[tf.Tensor]
Weights = TypeVar("Weights", bound=tuple)  # a named tuple of tensors and None

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
        carry: tensors for the first step; shapes and dtypes stay the same.
        time: number of steps; a Python int when `unroll`.
        outputs: one tensor for each output; only its shape and dtype are read.
        reverse: run from the last t to the first. Outputs are still stacked by t.
        unroll: write the steps out instead of a loop; all of them.
        steps: half-open range of time steps to run (XLA only); outputs outside it are zero.

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
        if not collected:
            return carry, [none_of(output) for output in outputs]
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
    return carry, [stacked(*pair) for pair in zip(arrays, outputs, strict=True)]


def none_of(like: tf.Tensor) -> tf.Tensor:
    """Returns the stack of no tensor of this shape: (0, *shape)."""
    return tf.zeros(tf.concat([[0], tf.shape(like)], axis=0), like.dtype)


def stacked(array: tf.TensorArray, like: tf.Tensor) -> tf.Tensor:
    """Stacks an array whose elements have the shape of `like`; there may be no element.

    `TensorArray.stack` knows the static part of that shape alone, too little for an empty array in
    a graph for any number of rows.
    """
    if tf.executing_eagerly() or like.shape.is_fully_defined() or compiled_by_xla():
        return array.stack()
    values = tf.raw_ops.TensorListStack(
        input_handle=array.flow, element_shape=tf.shape(like), element_dtype=like.dtype
    )
    values.set_shape([None, *like.shape])
    return values


def steps_before(first: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Returns for each step the value before it, `first` (batch, size) for the first one."""
    return tf.concat([first[None], values], axis=0)[:-1]


def of_real_steps(values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Returns values (time, batch, size) with zeros at masked steps.

    A gradient of weights is a product over all steps. Those of masked steps are multiplied with
    zero, which is no zero where they hold NaN or infinity.
    """
    return values if mask is None else tf.where(mask[:, :, None], values, tf.zeros_like(values))


def step_count(values: tf.Tensor, unroll: bool) -> tf.Tensor | int:
    """Returns the length of the leading time dimension, a Python int if the loop is unrolled.

    Raises:
        ValueError: if the loop is to be unrolled over a time dimension that is not static.
    """
    if not unroll:
        return tf.shape(values)[0]
    if values.shape[0] is None:
        raise ValueError("unroll=True needs a time dimension that is known when the graph is built")
    return values.shape[0]


def product(values: tf.Tensor, kernel: tf.Tensor, transpose: bool = False) -> tf.Tensor:
    """Multiplies values with kernel or kernelᵀ in the kernel's dtype; returns that of values."""
    products = tf.matmul(tf.cast(values, kernel.dtype), kernel, transpose_b=transpose)
    return tf.cast(products, values.dtype)


def weight_gradient(values: tf.Tensor, gradient: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Sums valuesᵀ · gradient over time and batch, as one product of dtype `dtype`.

    Args:
        values: (time, batch, rows).
        gradient: (time, batch, columns).

    Returns:
        (rows, columns).
    """
    rows = tf.reshape(tf.cast(values, dtype), [-1, values.shape[-1]])
    columns = tf.reshape(tf.cast(gradient, dtype), [-1, gradient.shape[-1]])
    return tf.matmul(rows, columns, transpose_a=True)


def present(weights: tuple) -> list[tf.Tensor]:
    """Returns the weights that are not None."""
    return [weight for weight in weights if weight is not None]


def given(weights: Weights) -> Weights:
    """Returns a bool for each weight: false where it is None."""
    kind: Any = type(weights)
    return kind(*(weight is not None for weight in weights))


def restored(given: Weights, tensors: Tensors) -> Weights:
    """Returns the weights of which `present` took the tensors; `given` as `given` returns it."""
    remaining, kind = iter(tensors), cast(Any, type(given))
    return kind(*(next(remaining) if is_given else None for is_given in given))


def not_recorded() -> AbstractContextManager:
    """Keeps every gradient tape from recording while the block runs.

    A `tf.function` that is called under a tape is traced with its own gradient in view, which
    XLA cannot compile for a loop. `tf.custom_gradient` does not keep the tape out by itself.
    """
    return record.stop_recording()


def within_this_graph(tensors: Any) -> Any:
    """Returns tensors, any structure of them, as tensors of the graph that is being traced.

    A compiled function captures tensors of another graph by itself, but in XLA's context, where
    the gradient of `tf.cond` and `tf.switch_case` cannot find them again.
    """
    if tf.executing_eagerly():
        return tensors
    graph = tf.compat.v1.get_default_graph()
    return tf.nest.map_structure(
        lambda each: each if getattr(each, "graph", graph) is graph else tf.identity(each), tensors
    )


def compiled_by_xla() -> bool:
    """Returns True while a graph is traced that XLA will compile, or one within it."""
    graph = tf.compat.v1.get_default_graph()
    return control_flow_util.GraphOrParentsInXlaContext(graph)


def gradients_of_unrecorded(
    gradients: Callable[[Tensors], Tensors],
    recorded: Callable[..., Any],
    arriving: Tensors,
    arguments: Tensors,
) -> Tensors:
    """Returns `gradients(arriving)`, computed without a tape, with a second gradient of its own.

    The compiled loops and the block operation compute gradients from values that no tape has
    recorded. Without this function, a gradient of such a gradient would be silently wrong. It is
    taken from the same function in recorded operations, which run for a second gradient only.

    Args:
        gradients: computes the gradients of `arguments` from the arriving ones.
        recorded: the function itself, of `arguments`, in operations that a tape records.
        arriving: gradients of its results.
        arguments: tensors.

    Raises:
        ValueError: when differentiated in forward mode.
    """
    count = len(arriving)
    # A result of which rows were gathered sends back slices, which no compiled function takes.
    arriving = [tf.convert_to_tensor(each) for each in arriving]

    @tf.custom_gradient
    def unrecorded(*tensors):
        arriving, arguments = tensors[:count], tensors[count:]
        with not_recorded():
            values = gradients(arriving)

        def gradient(*upstream):
            with tf.GradientTape() as outer:
                outer.watch(tensors)
                with tf.GradientTape() as inner:
                    inner.watch(arguments)
                    outputs = tf.nest.flatten(recorded(*arguments))
                found = inner.gradient(outputs, arguments, output_gradients=arriving)
            if any(each is None for each in found):
                # A tape that is made while a `tf.autodiff.ForwardAccumulator` runs records nothing.
                raise ValueError('forward-mode derivatives need implementation="graph"')
            return outer.gradient(found, tensors, upstream, unconnected_gradients="zero")

        return tuple(values), gradient

    return unrecorded(*arriving, *arguments)
