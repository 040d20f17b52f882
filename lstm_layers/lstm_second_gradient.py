"""The gradient of a backward pass that no tape has recorded.

`lstm_xla` and `lstm_block` compute gradients from values that a tape knows nothing of, so that a
gradient of a gradient through them would be wrong without a word. Here it is that of
`lstm_recurrence`, which computes the same function in operations that can be differentiated, and
which only such a second gradient runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from lstm_layers import lstm_recurrence
from lstm_layers.lstm_step import Options
from lstm_layers.portable_lstm import Peepholes
from lstm_layers.tensorflow_private import not_recorded

Tensors = Sequence[tf.Tensor]


def backward(
    gradients: Callable[[Tensors], Tensors],
    arriving: Tensors,
    arguments: Tensors,
    given: tuple[bool, ...],
    mask: tf.Tensor | None = None,
    recurrent_dropout_mask: tf.Tensor | None = None,
    options: Options = Options(),
) -> Tensors:
    """`gradients(arriving)`, unrecorded, with the gradient that it would have if recorded.

    Args:
        gradients: those of `arguments`, from those that arrive.
        arriving: gradients of h at every step, and of the last h and c.
        arguments: inputs (time, batch, features), W, R, h_0, c_0; then bias and peepholes.
        given: which of bias, p_i, p_f and p_o there are.
        mask, recurrent_dropout_mask, options: those of the forward pass.

    Raises:
        ValueError: when differentiated in forward mode.
    """

    @tf.custom_gradient
    def unrecorded(*tensors):
        arriving, arguments = tensors[:3], tensors[3:]
        with not_recorded():
            values = gradients(arriving)

        def gradient(*upstream):
            with tf.GradientTape() as outer:
                outer.watch(tensors)
                with tf.GradientTape() as inner:
                    inner.watch(arguments)
                    outputs = _recorded(arguments, given, mask, recurrent_dropout_mask, options)
                found = inner.gradient(outputs, arguments, output_gradients=arriving)
            if any(each is None for each in found):
                # A tape that is made while a `tf.autodiff.ForwardAccumulator` runs records nothing.
                raise ValueError('forward-mode derivatives need implementation="graph"')
            return outer.gradient(found, tensors, upstream, unconnected_gradients="zero")

        return tuple(values), gradient

    return unrecorded(*arriving, *arguments)


def unpack(given: tuple[bool, ...], present: Tensors) -> tuple[tf.Tensor | None, Peepholes]:
    """Bias and peepholes, None where they were not given."""
    remaining = iter(present)
    bias, *peepholes = (next(remaining) if is_given else None for is_given in given)
    return bias, Peepholes(*peepholes)


def _recorded(arguments, given, mask, recurrent_dropout_mask, options):
    inputs, kernel, recurrent_kernel, h_0, c_0, *present = arguments
    bias, peepholes = unpack(given, present)
    z = tf.tensordot(inputs, kernel, axes=1)
    if bias is not None:
        z = z + bias
    return lstm_recurrence.lstm(
        z, recurrent_kernel, peepholes, (h_0, c_0), mask, recurrent_dropout_mask, options
    )
