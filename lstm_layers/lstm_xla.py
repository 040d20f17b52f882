"""The LSTM recurrence, laid out for XLA on CPU: the fastest way to train.

The equations are those of `lstm_step`; here is only what makes them quick once compiled, each
found by measuring (`benchmarks/layers.py`):

- One product a step, of [x_t, h'] with [W; R]. With x W taken out of the loop, XLA reads it again
  in the kernel of every gate and computes gates twice: the loop takes half as long again.
- The forward loop writes i, f, g, o and c' to arrays of their own; what is written isn't computed
  again, and c = f ⊙ c' + i ⊙ g is cheaper to compute than to keep.
- The backward loop sums the gradients of the peepholes as it goes, while gates and cell states are
  in the cache.
- dW, dR and db are one product [x, h', 1]ᵀ · dz.
- Steps at which every row is masked, at the start or at the end of a batch, are not computed.

Both loops are compiled functions of their own, called from any graph or eagerly. XLA compiles anew
for every shape.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import tensorflow as tf

from lstm_layers import lstm_second_gradient
from lstm_layers.lstm_second_gradient import unpack
from lstm_layers.lstm_step import (
    Gates,
    Options,
    lstm_step,
    lstm_step_backward,
    peephole_terms,
)
from lstm_layers.portable_lstm import Peepholes
from lstm_layers.scan import product, scan
from lstm_layers.tensorflow_private import not_recorded


class Weights(NamedTuple):
    """W (features, 4 * units), R (units, 4 * units), b (4 * units,) or None, and peepholes."""

    kernel: tf.Tensor
    recurrent_kernel: tf.Tensor
    bias: tf.Tensor | None
    peepholes: Peepholes


def lstm(
    inputs: tf.Tensor,
    weights: Weights,
    initial_state: tuple[tf.Tensor, tf.Tensor],
    mask: tf.Tensor | None = None,
    recurrent_dropout_mask: tf.Tensor | None = None,
    options: Options = Options(),
    keep: bool = True,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Runs the recurrence over time.

    Args:
        inputs: (time, batch, features).
        weights: all in the dtype of the products but the peepholes.
        initial_state, mask, recurrent_dropout_mask, options: see `lstm_recurrence.lstm`.
        keep: keep what a gradient needs. Without, the forward pass is faster, and a gradient runs
            it again.

    Returns:
        h at every step (time, batch, units), and the last h and c (batch, units).
    """
    optional = (weights.bias, *weights.peepholes)
    present = [tensor for tensor in optional if tensor is not None]
    given = tuple(tensor is not None for tensor in optional)
    # One function for layers of one size: it may be traced for shapes of unknown batch and time.
    sizes = inputs.shape[-1], weights.recurrent_kernel.shape[0]
    forward = functools.partial(_compiled_forward, options, given, sizes)
    backward = _compiled_backward(options, given, sizes)

    @tf.custom_gradient
    def recurrence(inputs, kernel, recurrent_kernel, h_0, c_0, *present):
        read = (inputs, kernel, recurrent_kernel, h_0, c_0, mask, recurrent_dropout_mask, *present)
        with not_recorded():
            h, h_last, c_last, *kept = forward(keep)(*read)
        # The function may have been traced for other sizes as well, and know none.
        h.set_shape([*inputs.shape[:2], sizes[1]])
        for last in (h_last, c_last):
            last.set_shape([inputs.shape[1], sizes[1]])

        def gradient(*arriving):
            return lstm_second_gradient.backward(
                lambda arriving: backward(*arriving, h, *(kept or forward(True)(*read)[3:]), *read),
                arriving,
                (inputs, kernel, recurrent_kernel, h_0, c_0, *present),
                given,
                mask,
                recurrent_dropout_mask,
                options,
            )

        return (h, h_last, c_last), gradient

    return recurrence(inputs, weights.kernel, weights.recurrent_kernel, *initial_state, *present)


@functools.cache
def _compiled_forward(
    options: Options, given: tuple[bool, ...], sizes: tuple[int, int], keep: bool
):
    """The compiled forward pass for one set of options, features and units."""

    @tf.function(jit_compile=True, autograph=False, reduce_retracing=True)
    def forward(inputs, kernel, recurrent_kernel, h_0, c_0, mask, m, *present):
        bias, p = unpack(given, present)
        both = tf.concat([kernel, recurrent_kernel], axis=0)
        time = tf.shape(inputs)[0]
        first, end = _steps_to_compute(mask, time)

        def step(t, state):
            h, c = state
            fed_back = h if m is None else h * m
            products = product(tf.concat([tf.cast(inputs[t], h.dtype), fed_back], axis=1), both)
            if bias is not None:
                products = products + tf.cast(bias, h.dtype)
            new = lstm_step(products, c, p, options)
            values = (new.i, new.f, new.g, new.o, c) if keep else ()
            h_new, c_new = new.h, new.c
            if mask is not None:
                present_rows = mask[t][:, None]
                h_new = tf.where(present_rows, h_new, h)
                c_new = tf.where(present_rows, c_new, c)
            return (h_new, c_new), (h_new, *values)

        (h_last, c_last), (h, *kept) = scan(
            step, (h_0, c_0), time, [h_0] * (6 if keep else 1), steps=(first, end)
        )
        if mask is not None:
            t = tf.range(time)[:, None, None]
            h = tf.where(t < first, h_0, tf.where(t < end, h, h_last))
        return h, h_last, c_last, *kept

    return forward


@functools.cache
def _compiled_backward(options: Options, given: tuple[bool, ...], sizes: tuple[int, int]):
    """The compiled backward pass: gradients of inputs, W, R, h_0, c_0, and of those given."""

    @tf.function(jit_compile=True, autograph=False, reduce_retracing=True)
    def backward(d_h_all, d_h_last, d_c_last, h, i, f, g, o, c_before, *read):
        inputs, kernel, recurrent_kernel, h_0, _, mask, m, *present = read
        bias, p = unpack(given, present)
        time = tf.shape(inputs)[0]
        first, end = _steps_to_compute(mask, time)
        transposed = tf.transpose(recurrent_kernel)
        t_all = tf.range(time)[:, None, None]

        def step(t, carry):
            d_h, d_c, *sums = carry
            d_h = d_h + d_h_all[t]
            now = Gates(i[t], f[t], g[t], o[t])
            cells = c_before[t], now.f * c_before[t] + now.i * now.g
            d_gates, d_c_before = lstm_step_backward(now, cells, (d_h, d_c), p, options)
            d_z = tf.concat(d_gates, axis=-1)
            added = list(peephole_terms(d_gates, cells, p))
            if mask is not None:
                present_rows = mask[t][:, None]
                d_z = tf.where(present_rows, d_z, tf.zeros_like(d_z))
                added = [tf.where(present_rows, value, tf.zeros_like(value)) for value in added]
            d_h_before = product(d_z, transposed)
            if m is not None:
                d_h_before = d_h_before * m
            if mask is not None:
                d_h_before = tf.where(present_rows, d_h_before, d_h)
                d_c_before = tf.where(present_rows, d_c_before, d_c)
            sums = [total + value for total, value in zip(sums, added, strict=True)]
            return (d_h_before, d_c_before, *sums), (d_z,)

        if mask is not None:  # h after the loop's end is that of its last step
            d_h_last = d_h_last + tf.reduce_sum(tf.where(t_all >= end, d_h_all, 0.0), axis=0)
        sums = [tf.zeros_like(h_0) for weight in p if weight is not None]
        (d_h_0, d_c_0, *sums), (d_z,) = scan(
            step,
            (d_h_last, d_c_last, *sums),
            time,
            [tf.concat([d_c_last] * 4, axis=-1)],
            reverse=True,
            steps=(first, end),
        )
        if mask is not None:
            d_h_0 = d_h_0 + tf.reduce_sum(tf.where(t_all < first, d_h_all, 0.0), axis=0)
        dtype = kernel.dtype
        d_rows = tf.cast(tf.reshape(d_z, [-1, d_z.shape[-1]]), dtype)
        h_before = tf.concat([h_0[None], h[:-1]], axis=0)
        fed_back = tf.cast(h_before if m is None else h_before * m, dtype)
        columns = [inputs, fed_back]
        if bias is not None:
            columns.append(tf.ones_like(inputs[:, :, :1]))
        rows = tf.concat(columns, axis=-1)
        rows = tf.reshape(rows, [-1, rows.shape[-1]])
        d_weights = tf.matmul(rows, d_rows, transpose_a=True)
        features, units = sizes
        d_inputs = tf.reshape(tf.matmul(d_rows, kernel, transpose_b=True), tf.shape(inputs))
        d_bias = [] if bias is None else [d_weights[-1]]
        return (
            d_inputs,
            d_weights[:features],
            d_weights[features : features + units],
            d_h_0,
            d_c_0,
            *d_bias,
            *(tf.reduce_sum(total, axis=0) for total in sums),
        )

    return backward


def _steps_to_compute(mask: tf.Tensor | None, time: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The first step at which any row counts, and the one after the last; 0 and 0 if none."""
    if mask is None:
        return tf.constant(0), time
    t = tf.range(time)
    any_row = tf.reduce_any(mask, axis=1)
    end = tf.reduce_max(tf.where(any_row, t + 1, 0))
    return tf.minimum(tf.reduce_min(tf.where(any_row, t, time)), end), end
