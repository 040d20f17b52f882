"""The LSTM recurrence by TensorFlow's `BlockLSTM` operation: the fastest way to answer without XLA.

One operation runs the loop over time, so that a call costs no interpreter and no executor a step,
and every TensorFlow server has it. It computes in float32, with tanh and σ, and without a mask.

Only its forward pass is used, with the weights in its own order of the gates, i, g, f, o. The
backward pass is that of `lstm_recurrence`: the gradient that TensorFlow registers for the
operation's second version is wrong (TensorFlow 2.21), and neither differentiates the last states.
"""

from __future__ import annotations

import tensorflow as tf

from lstm_layers import lstm_recurrence, second_gradient
from lstm_layers.lstm_recurrence import unpack
from lstm_layers.lstm_step import Options, Step
from lstm_layers.portable_lstm import Peepholes
from lstm_layers.scan import weight_gradient
from lstm_layers.tensorflow_private import not_recorded


def lstm(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor | None,
    peepholes: Peepholes,
    initial_state: tuple[tf.Tensor, tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Runs the recurrence over time; everything is float32.

    Args:
        inputs: (time, batch, features).
        kernel: W (features, 4 * units), gates in the order i, f, g, o.
        recurrent_kernel: R (units, 4 * units).
        bias: b (4 * units,), or None for zero.
        peepholes: weights of shape (units,), or None by gate.
        initial_state: h and c before the first step, each (batch, units).

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
        with not_recorded():
            steps = _forward(inputs, kernel, recurrent_kernel, b, p, h_0, c_0)

        def gradient(*arriving):
            return second_gradient.backward(
                lambda arriving: _backward(steps, arguments, b, p, arriving),
                lambda inputs, h_0, c_0, *weights: lstm_recurrence.of_inputs(
                    inputs, (h_0, c_0), weights, given
                ),
                arriving,
                arguments,
            )

        # Without a step the states stay as they are.
        h_all, c_all = tf.concat([h_0[None], steps.h], 0), tf.concat([c_0[None], steps.c], 0)
        return (steps.h, h_all[-1], c_all[-1]), gradient

    return recurrence(inputs, *initial_state, kernel, recurrent_kernel, *present)


def _forward(inputs, kernel, recurrent_kernel, bias, p, h_0, c_0) -> Step:
    def reordered(weights: tf.Tensor) -> tf.Tensor:
        i, f, g, o = tf.split(weights, 4, axis=-1)
        return tf.concat([i, g, f, o], axis=-1)

    none = tf.zeros(recurrent_kernel.shape[0])
    wci, wcf, wco = (none if weight is None else weight for weight in p)
    block = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.shape(inputs, out_type=tf.int64)[0],
        x=inputs,
        cs_prev=c_0,
        h_prev=h_0,
        w=reordered(tf.concat([kernel, recurrent_kernel], axis=0)),
        wci=wci,
        wcf=wcf,
        wco=wco,
        b=tf.zeros(4 * none.shape[0]) if bias is None else reordered(bias),
        forget_bias=0.0,
        cell_clip=0.0,
        use_peephole=any(weight is not None for weight in p),
    )
    return Step(block.i, block.f, block.ci, block.o, block.cs, block.h)


def _backward(steps, arguments, bias, p, arriving):
    inputs, h_0, c_0, kernel, recurrent_kernel, *_ = arguments
    found = lstm_recurrence.gradients(
        steps, recurrent_kernel, p, (h_0, c_0), None, None, Options(), arriving
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
