"""The LSTM recurrence, laid out for XLA on CPU: the fastest way to train.

The loops are those of `xla`, the equations those of `lstm_step`; here is only what makes
them quick once compiled, each found by measuring (`benchmarks/layers.py`):

- One product a step, of [x_t, h'] with [W; R]. With x W taken out of the loop, XLA reads it again
  in the kernel of every gate and computes gates twice: the loop takes half as long again.
- The forward loop keeps i, f, g, o and c', for c = f ⊙ c' + i ⊙ g is cheaper to compute than to
  keep.
- The backward loop sums the gradients of the peepholes as it goes, while gates and cell states are
  in the cache.
- dW, dR and db are one product [x, h', 1]ᵀ · dz.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from lstm_layers.recurrences import lstm_graph, xla
from lstm_layers.recurrences.lstm_graph import unpack
from lstm_layers.recurrences.lstm_portable import Peepholes
from lstm_layers.recurrences.lstm_step import (
    Gates,
    Options,
    lstm_step,
    lstm_step_backward,
    peephole_terms,
)
from lstm_layers.recurrences.scan import product, weight_gradient


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
        initial_state, mask, recurrent_dropout_mask, options: see `lstm_graph.lstm`.
        keep: see `xla.run`.

    Returns:
        h at every step (time, batch, units), and the last h and c (batch, units).
    """
    optional = (weights.bias, *weights.peepholes)
    cell = _LSTM(
        options,
        tuple(tensor is not None for tensor in optional),
        inputs.shape[-1],
        weights.recurrent_kernel.shape[0],
    )
    present = (tensor for tensor in optional if tensor is not None)
    flat = weights.kernel, weights.recurrent_kernel, *present
    return xla.run(cell, inputs, flat, initial_state, mask, recurrent_dropout_mask, keep)


@dataclasses.dataclass(frozen=True)
class _LSTM(xla.Cell):
    """Weights are W, R, and what there is of b, p_i, p_f and p_o."""

    options: Options
    given: tuple[bool, ...]
    features: int
    units: int

    kept = 5
    written = (4,)

    @property
    def summed(self):
        return sum(self.given[1:])

    def forward(self, weights):
        kernel, recurrent_kernel, *present = weights
        bias, peepholes = unpack(self.given, present)
        both = tf.concat([kernel, recurrent_kernel], axis=0)

        def step(x, before, fed_back):
            c = before[1]
            products = product(tf.concat([tf.cast(x, c.dtype), fed_back], axis=1), both)
            if bias is not None:
                products = products + tf.cast(bias, c.dtype)
            new = lstm_step(products, c, peepholes, self.options)
            return (new.h, new.c), (new.i, new.f, new.g, new.o, c)

        return step

    def backward(self, weights, m):
        _, recurrent_kernel, *present = weights
        _, peepholes = unpack(self.given, present)
        transposed = tf.transpose(recurrent_kernel)

        def step(kept, h_before, fed_back, after):
            *gates, c_before = kept
            now = Gates(*gates)
            cells = c_before, now.f * c_before + now.i * now.g
            d_gates, d_c_before = lstm_step_backward(now, cells, after, peepholes, self.options)
            d_z = tf.concat(d_gates, axis=-1)
            d_h_before = product(d_z, transposed)
            if m is not None:
                d_h_before = d_h_before * m
            terms = list(peephole_terms(d_gates, cells, peepholes))
            return (d_h_before, d_c_before), [d_z], terms

        return step

    def weight_gradients(self, weights, inputs, fed_back, kept, written, sums):
        kernel, (d_z,) = weights[0], written
        dtype = kernel.dtype
        columns = [inputs, tf.cast(fed_back, dtype)]
        if self.given[0]:
            columns.append(tf.ones_like(inputs[:, :, :1]))
        d_weights = weight_gradient(tf.concat(columns, axis=-1), d_z, dtype)
        d_rows = tf.cast(tf.reshape(d_z, [-1, d_z.shape[-1]]), dtype)
        d_inputs = tf.reshape(tf.matmul(d_rows, kernel, transpose_b=True), tf.shape(inputs))
        d_kernel = d_weights[: self.features]
        d_recurrent_kernel = d_weights[self.features : self.features + self.units]
        d_bias = [d_weights[-1]] if self.given[0] else []
        return d_inputs, d_kernel, d_recurrent_kernel, *d_bias, *sums

    def recorded(self, inputs, state, weights, mask, recurrent_dropout_mask):
        masks = mask, recurrent_dropout_mask
        return lstm_graph.of_inputs(inputs, state, weights, self.given, *masks, self.options)
