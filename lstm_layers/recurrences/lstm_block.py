"""The LSTM recurrence by TensorFlow's `BlockLSTMV2` operation: one operation for the whole loop.

A call costs no interpreter and no executor a step, and every TensorFlow server has it. It computes
in float32, with tanh and σ, its gates in our order, i, f, g, o. It knows no mask: each row's real
steps are put in front of it, and what it gives back in their places (`real_steps_first`), so that
any mask is right and steps that no row needs are not computed.

Only its forward pass is used. The backward pass is that of `lstm_graph`: the gradient that
TensorFlow registers for this operation is wrong (TensorFlow 2.21); that of its first version is
right, but has the gates in another order, for which the weights would be copied at every call, and
neither differentiates the last states.
"""

from __future__ import annotations

import tensorflow as tf

from lstm_layers.recurrences import lstm_graph, second_gradient
from lstm_layers.recurrences.lstm_graph import unpack
from lstm_layers.recurrences.lstm_portable import Peepholes
from lstm_layers.recurrences.lstm_step import Options, Step
from lstm_layers.recurrences.real_steps_first import RealStepsFirst
from lstm_layers.recurrences.scan import weight_gradient
from lstm_layers.recurrences.tensorflow_private import not_recorded


def lstm(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor | None,
    peepholes: Peepholes,
    initial_state: tuple[tf.Tensor, tf.Tensor],
    mask: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Runs the recurrence over time; everything is float32.

    Args:
        inputs: (time, batch, features).
        kernel: W (features, 4 * units), gates in the order i, f, g, o.
        recurrent_kernel: R (units, 4 * units).
        bias: b (4 * units,), or None for zero.
        peepholes: weights of shape (units,), or None by gate.
        initial_state: h and c before the first step, each (batch, units).
        mask: (time, batch) bool, False where h and c are to be copied from the step before.

    Returns:
        h at every step (time, batch, units), and the last h and c (batch, units).
    """
    optional = (bias, *peepholes)
    present = [tensor for tensor in optional if tensor is not None]
    given = tuple(tensor is not None for tensor in optional)

    @tf.custom_gradient
    def recurrence(inputs, h_0, c_0, kernel, recurrent_kernel, *present):
        arguments = (inputs, h_0, c_0, kernel, recurrent_kernel, *present)
        b, p = unpack(given, present)
        order = None
        with not_recorded():
            if mask is None:
                count = tf.shape(inputs, out_type=tf.int64)[0]
                steps = _forward(count, inputs, kernel, recurrent_kernel, b, p, h_0, c_0)
            else:
                order = RealStepsFirst(mask)
                inputs = order.first(inputs)
                steps = _forward(order.longest, inputs, kernel, recurrent_kernel, b, p, h_0, c_0)
                steps = steps._replace(h=order.back(steps.h, h_0), c=order.back(steps.c, c_0))

        def gradients(arriving):
            gates = steps[:4]
            if order is not None:  # at masked steps any gates do: their gradient is zero
                gates = [order.back(gate, tf.zeros_like(h_0)) for gate in gates]
            return _backward(Step(*gates, steps.c, steps.h), arguments, b, p, mask, arriving)

        def gradient(*arriving):
            return second_gradient.backward(
                gradients,
                lambda inputs, h_0, c_0, *weights: lstm_graph.of_inputs(
                    inputs, (h_0, c_0), weights, given, mask
                ),
                arriving,
                arguments,
            )

        # Without a step the states stay as they are.
        h_all, c_all = tf.concat([h_0[None], steps.h], 0), tf.concat([c_0[None], steps.c], 0)
        return (steps.h, h_all[-1], c_all[-1]), gradient

    return recurrence(inputs, *initial_state, kernel, recurrent_kernel, *present)


def _forward(count, inputs, kernel, recurrent_kernel, bias, p, h_0, c_0) -> Step:
    """The first `count` steps of inputs, zeros behind them."""
    none = tf.zeros(recurrent_kernel.shape[0])
    wci, wcf, wco = (none if weight is None else weight for weight in p)
    block = tf.raw_ops.BlockLSTMV2(
        seq_len_max=count,
        x=inputs,
        cs_prev=c_0,
        h_prev=h_0,
        w=tf.concat([kernel, recurrent_kernel], axis=0),
        wci=wci,
        wcf=wcf,
        wco=wco,
        b=tf.zeros(4 * none.shape[0]) if bias is None else bias,
        cell_clip=0.0,
        use_peephole=any(weight is not None for weight in p),
    )
    return Step(block.i, block.f, block.ci, block.o, block.cs, block.h)


def _backward(steps, arguments, bias, p, mask, arriving):
    inputs, h_0, c_0, kernel, recurrent_kernel, *_ = arguments
    found = lstm_graph.gradients(
        steps, recurrent_kernel, p, (h_0, c_0), mask, None, Options(), arriving
    )
    rows = tf.reshape(found.z, [-1, found.z.shape[-1]])
    d_inputs = tf.matmul(rows, kernel, transpose_b=True)
    return (
        tf.reshape(d_inputs, tf.shape(inputs)),
        *found.state,
        weight_gradient(inputs, found.z, kernel.dtype),
        found.recurrent_kernel,
        *([] if bias is None else [tf.reduce_sum(rows, axis=0)]),
        *found.peepholes,
    )
