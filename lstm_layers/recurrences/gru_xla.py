"""The GRU loop, laid out for XLA on CPU: the fastest way to train.

The loops are those of `xla`, the equations those of `gru_step`. The layout here makes them fast
once compiled; each choice was found by measuring:

- x_t W and h' R are two products of a step. With x W taken out of the loop, which XLA then reads
  again in the kernel of every gate, the forward loop takes up to 15 % longer. One product of
  [x_t, h'], as the LSTM has it, is no faster; with `reset_after`, where x W_n and h' R_n are not
  just added, zeros must keep them apart in it, which takes a quarter longer.
- The forward loop keeps z, r, n, and u with `reset_after`; else u = h' ⊙ m is there already.
- dW and db are one product [x, 1]ᵀ · da; likewise, with `reset_after`, dR and dd from
  [h' ⊙ m, 1]ᵀ · dp.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from lstm_layers.recurrences import gru_graph, xla
from lstm_layers.recurrences.gru_step import (
    Options,
    Step,
    Weights,
    factors,
    gru_step,
    gru_step_backward,
)
from lstm_layers.recurrences.scan import given, present, product, restored, weight_gradient


def run(
    x: tf.Tensor,
    mask: tf.Tensor | None,
    initial: tuple[tf.Tensor],
    weights: Weights,
    options: Options,
) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
    """Runs the GRU over time; arguments and results as in `gru_graph.run`, never unrolled."""
    m = weights.recurrent_dropout_mask
    learned = weights._replace(recurrent_dropout_mask=None)
    units = weights.recurrent_kernel.shape[0]
    # `training` is not part of the cell, so that both settings share the backward pass.
    cell = _GRU(options._replace(training=True), given(learned), x.shape[-1], units)
    return xla.run(cell, x, mask, initial, present(learned), m, keep=options.training)


@dataclasses.dataclass(frozen=True)
class _GRU(xla.Cell):
    """The GRU for `xla`; its weights are those that `given` marks."""

    options: Options
    given: Weights  # of bools
    features: int
    units: int

    summed = 0

    @property
    def kept(self):
        return 4 if self.options.reset_after else 3

    @property
    def written(self):
        return (3, 3) if self.options.reset_after else (3,)

    def forward(self, weights):
        w = restored(self.given, weights)
        kernels = factors(w.recurrent_kernel, self.options)

        def step(x, before, fed_back):
            (h,) = before
            a = product(tf.cast(x, h.dtype), w.kernel)
            if w.bias is not None:
                a = a + tf.cast(w.bias, h.dtype)
            new = gru_step(a, h, fed_back, kernels, w.recurrent_bias, self.options, product)
            return (new.h,), new[: self.kept]

        return step

    def backward(self, weights, m):
        kernels = factors(restored(self.given, weights).recurrent_kernel, self.options)
        kernels = tuple(tf.transpose(kernel) for kernel in kernels)

        def step(kept, h_before, fed_back, after):
            values = Step(*(kept if self.options.reset_after else (*kept, fed_back)), None)
            *written, d_h_before = gru_step_backward(
                values, h_before, *after, kernels, m, self.options, product
            )
            return (d_h_before,), written, []

        return step

    def weight_gradients(self, weights, inputs, fed_back, kept, written, sums):
        kernel, _, bias, recurrent_bias, _ = restored(self.given, weights)
        dtype, d_a, d_products = kernel.dtype, written[0], written[-1]
        ones = tf.ones_like(inputs[:, :, :1])
        rows = inputs if bias is None else tf.concat([inputs, ones], axis=-1)
        d_weights = weight_gradient(rows, d_a, dtype)
        found = [d_weights[: self.features]]
        if recurrent_bias is not None:
            fed_back = tf.concat([fed_back, tf.cast(ones, fed_back.dtype)], axis=-1)
        d_recurrent = gru_graph.recurrent_kernel_gradient(
            fed_back, kept[1], d_products, dtype, self.options
        )
        found.append(d_recurrent[: self.units])
        if bias is not None:
            found.append(d_weights[-1])
        if recurrent_bias is not None:
            found.append(tf.cast(d_recurrent[-1], recurrent_bias.dtype))
        d_rows = tf.cast(tf.reshape(d_a, [-1, d_a.shape[-1]]), dtype)
        d_inputs = tf.reshape(tf.matmul(d_rows, kernel, transpose_b=True), tf.shape(inputs))
        return d_inputs, *found

    def recorded(self, inputs, state, weights, mask, recurrent_dropout_mask):
        w = restored(self.given, weights)
        w = w._replace(recurrent_dropout_mask=recurrent_dropout_mask)
        return gru_graph.run(inputs, mask, state, w, self.options)
