"""The GRU recurrence, laid out for XLA on CPU: the fastest way to train.

The loops are those of `xla`, the equations those of `gru_step`; here is only what makes
them quick once compiled, each found by measuring:

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
from typing import NamedTuple

import tensorflow as tf

from lstm_layers.recurrences import gru_graph, xla
from lstm_layers.recurrences.gru_step import Options, Step, factors, gru_step, gru_step_backward
from lstm_layers.recurrences.scan import product, weight_gradient


class Weights(NamedTuple):
    """W (features, 3 * units), R (units, 3 * units), b and d (3 * units,) or None.

    All in the dtype of the products but d, which goes with the states.
    """

    kernel: tf.Tensor
    recurrent_kernel: tf.Tensor
    bias: tf.Tensor | None
    recurrent_bias: tf.Tensor | None


def gru(
    inputs: tf.Tensor,
    weights: Weights,
    h_0: tf.Tensor,
    mask: tf.Tensor | None = None,
    recurrent_dropout_mask: tf.Tensor | None = None,
    options: Options = Options(),
    keep: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs the recurrence over time.

    Args:
        inputs: (time, batch, features).
        weights: tensors; d only if `reset_after`.
        h_0, mask, recurrent_dropout_mask, options: see `gru_graph.gru`.
        keep: see `xla.run`.

    Returns:
        h at every step (time, batch, units), and the last h (batch, units).
    """
    cell = _GRU(
        options,
        tuple(weight is not None for weight in weights),
        inputs.shape[-1],
        weights.recurrent_kernel.shape[0],
    )
    flat = [weight for weight in weights if weight is not None]
    return xla.run(cell, inputs, flat, (h_0,), mask, recurrent_dropout_mask, keep)


@dataclasses.dataclass(frozen=True)
class _GRU(xla.Cell):
    """Weights are those that there are of `Weights`."""

    options: Options
    given: tuple[bool, ...]
    features: int
    units: int

    summed = 0

    @property
    def kept(self):
        return 4 if self.options.reset_after else 3

    @property
    def written(self):
        return (3, 3) if self.options.reset_after else (3,)

    def _named(self, weights) -> Weights:
        remaining = iter(weights)
        return Weights(*(next(remaining) if given else None for given in self.given))

    def forward(self, weights):
        kernel, recurrent_kernel, bias, recurrent_bias = self._named(weights)
        kernels = factors(recurrent_kernel, self.options)

        def step(x, before, fed_back):
            (h,) = before
            a = product(tf.cast(x, h.dtype), kernel)
            if bias is not None:
                a = a + tf.cast(bias, h.dtype)
            new = gru_step(a, h, fed_back, kernels, recurrent_bias, self.options)
            return (new.h,), new[: self.kept]

        return step

    def backward(self, weights, m):
        kernels = factors(self._named(weights).recurrent_kernel, self.options)
        kernels = tuple(tf.transpose(kernel) for kernel in kernels)

        def step(kept, h_before, fed_back, after):
            values = Step(*(kept if self.options.reset_after else (*kept, fed_back)), None)
            *written, d_h_before = gru_step_backward(
                values, h_before, *after, kernels, m, self.options
            )
            return (d_h_before,), written, []

        return step

    def weight_gradients(self, weights, inputs, fed_back, kept, written, sums):
        kernel, _, bias, recurrent_bias = self._named(weights)
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
        kernel, recurrent_kernel, bias, recurrent_bias = self._named(weights)
        a = tf.tensordot(inputs, kernel, axes=1)
        if bias is not None:
            a = a + bias
        masks = mask, recurrent_dropout_mask
        return gru_graph.gru(a, recurrent_kernel, recurrent_bias, *state, *masks, self.options)
