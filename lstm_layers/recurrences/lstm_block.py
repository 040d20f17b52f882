"""The LSTM loop by TensorFlow's `BlockLSTMV2` operation: one operation for the whole loop.

A call costs no interpreter and no executor a step, and every TensorFlow server has the operation.
It computes in float32, with tanh and σ, its gates in our order, i, f, g, o. It knows no mask:
`RealStepsFirst` puts each row's real steps in front for it, and its results back in their places,
so that any mask is right and steps that no row needs are not computed.

Only its forward pass is used. The backward pass is that of `lstm_graph`: the gradient that
TensorFlow registers for this operation is wrong (TensorFlow 2.21); that of its first version is
right, but has the gates in another order, for which the weights would be copied at every call, and
neither differentiates the last states.
"""

from __future__ import annotations

import tensorflow as tf

from lstm_layers.recurrences import lstm_graph
from lstm_layers.recurrences.lstm_step import Options, Step, Weights
from lstm_layers.recurrences.scan import (
    given,
    gradients_of_unrecorded,
    not_recorded,
    of_real_steps,
    present,
    restored,
    weight_gradient,
)


def run(
    x: tf.Tensor,
    mask: tf.Tensor | None,
    initial: tuple[tf.Tensor, tf.Tensor],
    weights: Weights,
    options: Options,
) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
    """Runs the LSTM over time; everything is float32.

    Arguments and results as in `lstm_graph.run`, but no recurrent dropout mask, tanh and sigmoid
    only, and no unrolling: `implementations.choose` sees to that.
    """
    which = given(weights)
    if mask is not None and (mask.shape[1] is None or mask.shape[1] != x.shape[1]):
        mask = tf.broadcast_to(mask, tf.shape(x)[:2])  # one row may stand for all

    @tf.custom_gradient
    def recurrence(x, h_0, c_0, *tensors):
        arguments = (x, h_0, c_0, *tensors)
        w = restored(which, tensors)
        order = None
        with not_recorded():
            if mask is None:
                steps = _forward(tf.shape(x, out_type=tf.int64)[0], x, w, h_0, c_0)
            else:
                order = RealStepsFirst(mask)
                steps = _forward(order.longest, order.first(x), w, h_0, c_0)
                steps = steps._replace(h=order.back(steps.h, h_0), c=order.back(steps.c, c_0))

        def gradients(arriving):
            gates = steps[:4]
            if order is not None:  # at masked steps any gates do: their gradient is zero
                gates = [order.back(gate, tf.zeros_like(h_0)) for gate in gates]
            return _backward(Step(*gates, steps.c, steps.h), x, w, (h_0, c_0), mask, arriving)

        def recorded(x, h_0, c_0, *tensors):
            return lstm_graph.run(x, mask, (h_0, c_0), restored(which, tensors), options)

        def gradient(*arriving):
            return gradients_of_unrecorded(gradients, recorded, arriving, arguments)

        # Without a step the states stay as they are.
        last = [
            tf.concat([first[None], values[-1:]], axis=0)[-1]
            for first, values in ((h_0, steps.h), (c_0, steps.c))
        ]
        return (steps.h, *last), gradient

    h, *final = recurrence(x, *initial, *present(weights))
    return h, tuple(final)


def _forward(count, x, weights, h_0, c_0) -> Step:
    """Runs the first `count` steps of x; the values after them are zeros."""
    none = tf.zeros(weights.recurrent_kernel.shape[0])
    wci, wcf, wco = (none if weight is None else weight for weight in weights.peepholes)
    block = tf.raw_ops.BlockLSTMV2(
        seq_len_max=count,
        x=x,
        cs_prev=c_0,
        h_prev=h_0,
        w=tf.concat([weights.kernel, weights.recurrent_kernel], axis=0),
        wci=wci,
        wcf=wcf,
        wco=wco,
        b=tf.zeros(4 * none.shape[0]) if weights.bias is None else weights.bias,
        cell_clip=0.0,
        use_peephole=any(weight is not None for weight in weights.peepholes),
    )
    return Step(block.i, block.f, block.ci, block.o, block.cs, block.h)


def _backward(steps, x, weights, initial, mask, arriving):
    found = lstm_graph.gradients(steps, weights, initial, mask, Options(), arriving)
    rows = tf.reshape(found.z, [-1, found.z.shape[-1]])
    d_x = tf.matmul(rows, weights.kernel, transpose_b=True)
    return (
        tf.reshape(d_x, tf.shape(x)),
        *found.state,
        weight_gradient(of_real_steps(x, mask), found.z, weights.kernel.dtype),
        found.recurrent_kernel,
        *([] if weights.bias is None else [tf.reduce_sum(rows, axis=0)]),
        *found.peepholes,
    )


class RealStepsFirst:
    """Puts the real steps of each row first and the masked ones last, and back again.

    A loop that knows no mask gives the right values at a row's real steps if these come first: what
    follows changes nothing before it. Back in their places, with the last value before a masked
    step at that step, they are those of a loop that copies its states where the mask is false.

    Args:
        mask: (time, batch) bool, any gaps.

    Attributes:
        longest: int64, the number of real steps of the row with the most of them.
    """

    def __init__(self, mask: tf.Tensor) -> None:
        is_real = tf.cast(mask, tf.int32)
        self._real_so_far = tf.cumsum(is_real, axis=0)
        count = tf.reduce_sum(is_real, axis=0)
        self.longest = tf.cast(tf.reduce_max(tf.concat([[0], count], axis=0)), tf.int64)
        self._time, self._batch = tf.unstack(tf.shape(mask))
        after = count + tf.cumsum(1 - is_real, axis=0)  # where masked steps go, plus 1
        places = self._rows(tf.where(mask, self._real_so_far, after) - 1)
        every = tf.range(tf.size(places))
        self._order = tf.scatter_nd(places[:, None], every, tf.shape(places))

    def first(self, values: tf.Tensor) -> tf.Tensor:
        """Returns (time, batch, size) with each row's real steps first, then the masked ones."""
        return self._taken(values, self._order)

    def back(self, values: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """Undoes `first`, and gives each masked step the value of the last real one before it.

        Args:
            values: (time, batch, size), real steps first.
            before: (batch, size), the value where no real step has come yet.

        Returns:
            (time, batch, size).
        """
        values = tf.concat([before[None], values], axis=0)
        return self._taken(values, self._rows(self._real_so_far))

    def _rows(self, steps: tf.Tensor) -> tf.Tensor:
        """Returns the places of steps in an array that concatenates the rows of all steps."""
        return tf.reshape(steps * self._batch + tf.range(self._batch), [-1])

    def _taken(self, values: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        size = values.shape[-1]
        taken = tf.gather(tf.reshape(values, [-1, size]), rows)
        return tf.reshape(taken, [self._time, self._batch, size])
