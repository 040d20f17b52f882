"""The gradient of a backward pass that no tape has recorded.

The compiled recurrences and the block operation compute gradients from values that a tape knows
nothing of, so that a gradient of a gradient through them would be wrong without a word. Here it is
that of the same function in operations that can be differentiated, which only such a second
gradient runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from lstm_layers.recurrences.tensorflow_private import not_recorded

Tensors = Sequence[tf.Tensor]


def backward(
    gradients: Callable[[Tensors], Tensors],
    recorded: Callable[..., Tensors],
    arriving: Tensors,
    arguments: Tensors,
) -> Tensors:
    """`gradients(arriving)`, unrecorded, with the gradient that it would have if recorded.

    Args:
        gradients: those of `arguments`, from those that arrive.
        recorded: the function itself, of `arguments`, in operations that a tape records.
        arriving: gradients of its results.
        arguments: tensors.

    Raises:
        ValueError: when differentiated in forward mode.
    """
    count = len(arriving)

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
                    outputs = recorded(*arguments)
                found = inner.gradient(outputs, arguments, output_gradients=arriving)
            if any(each is None for each in found):
                # A tape that is made while a `tf.autodiff.ForwardAccumulator` runs records nothing.
                raise ValueError('forward-mode derivatives need implementation="graph"')
            return outer.gradient(found, tensors, upstream, unconnected_gradients="zero")

        return tuple(values), gradient

    return unrecorded(*arriving, *arguments)
