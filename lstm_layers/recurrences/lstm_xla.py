"""The LSTM loop, laid out for XLA on CPU: the fastest way to train.

The loops are those of `xla`, the equations those of `lstm_step`. The layout here makes them fast
once compiled; each choice was found by measuring (`benchmarks/layers.py`):

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

import tensorflow as tf

from lstm_layers.recurrences import lstm_graph, xla
from lstm_layers.recurrences.lstm_step import (
    Gates,
    Options,
    Weights,
    lstm_step,
    lstm_step_backward,
    peephole_terms,
)
from lstm_layers.recurrences.scan import given, present, product, restored, weight_gradient


def run(
    x: tf.Tensor,
    mask: tf.Tensor | None,
    initial: tuple[tf.Tensor, tf.Tensor],
    weights: Weights,
    options: Options,
) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
    """Runs the LSTM over time; arguments and results as in `lstm_graph.run`, never unrolled."""
    m = weights.recurrent_dropout_mask
    learned = weights._replace(recurrent_dropout_mask=None)
    units = weights.recurrent_kernel.shape[0]
    # `training` is not part of the cell, so that both settings share the backward pass.
    cell = _LSTM(options._replace(training=True), given(learned), x.shape[-1], units)
    return xla.run(cell, x, mask, initial, present(learned), m, keep=options.training)


@dataclasses.dataclass(frozen=True)
class _LSTM(xla.Cell):
    """The LSTM for `xla`; its weights are those that `given` marks."""

    options: Options
    given: Weights  # of bools
    features: int
    units: int

    kept = 5
    written = (4,)

    @property
    def summed(self):
        return sum(self.given.peepholes)

    def forward(self, weights):
        w = restored(self.given, weights)
        peepholes = w.peepholes
        both = tf.concat([w.kernel, w.recurrent_kernel], axis=0)

        def step(x, before, fed_back):
            c = before[1]
            products = product(tf.concat([tf.cast(x, c.dtype), fed_back], axis=1), both)
            if w.bias is not None:
                products = products + tf.cast(w.bias, c.dtype)
            new = lstm_step(products, c, peepholes, self.options)
            return (new.h, new.c), (new.i, new.f, new.g, new.o, c)

        return step

    def backward(self, weights, m):
        w = restored(self.given, weights)
        peepholes = w.peepholes
        transposed = tf.transpose(w.recurrent_kernel)

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
        if self.given.bias:
            columns.append(tf.ones_like(inputs[:, :, :1]))
        d_weights = weight_gradient(tf.concat(columns, axis=-1), d_z, dtype)
        d_rows = tf.cast(tf.reshape(d_z, [-1, d_z.shape[-1]]), dtype)
        d_inputs = tf.reshape(tf.matmul(d_rows, kernel, transpose_b=True), tf.shape(inputs))
        d_kernel = d_weights[: self.features]
        d_recurrent_kernel = d_weights[self.features : self.features + self.units]
        d_bias = [d_weights[-1]] if self.given.bias else []
        return d_inputs, d_kernel, d_recurrent_kernel, *d_bias, *sums

    def recorded(self, inputs, state, weights, mask, recurrent_dropout_mask):
        w = restored(self.given, weights)
        w = w._replace(recurrent_dropout_mask=recurrent_dropout_mask)
        return lstm_graph.run(inputs, mask, state, w, self.options)
