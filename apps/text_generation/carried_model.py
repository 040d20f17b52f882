"""The language model in training: states go from batch to batch, and the cores share the rows."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from apps import global_mean, replica_rows


class CarriedModel(keras.Model):
    """Each call goes on from the states in which the last one ended, row by row.

    That is truncated back-propagation through time (Werbos 1990): gradients stop where a call
    begins. The rows are computed in `parts` that know nothing of each other, so that TensorFlow
    runs them side by side: one core to each is faster than all cores in each single product,
    since the steps between the products then share the cores as well. The gradient is that of the
    whole batch whatever the parts, up to rounding.

    Args:
        streaming: a model of [tokens, *states] to [logits, *states], as `model.build_streaming`
            returns it; this one trains its weights.
        batch_size: rows, a multiple of `parts`. Where training is distributed, of all replicas
            together: each computes and carries its share of them.
        parts: groups of rows; fewer where a replica's rows cannot be cut into as many.

    Call arguments:
        tokens: int32 (batch, time), of this replica.
        training: whether dropout acts.

    Returns:
        Logits float32 of each part: a list of (batch / parts, time, vocabulary).
    """

    def __init__(self, streaming: keras.Model, batch_size: int, parts: int) -> None:
        super().__init__(name="carried_language_model")
        if batch_size % parts:
            raise ValueError(f"{batch_size} rows cannot be cut into {parts} equal parts")
        self.streaming = streaming
        self.parts = math.gcd(parts, replica_rows.of(batch_size))
        self.states = [
            replica_rows.state(batch_size, state.shape[-1], state.name)
            for state in streaming.inputs[1:]
        ]
        self.built = True

    def call(self, tokens: tf.Tensor, training: bool = False) -> list[tf.Tensor]:
        before = zip(*(tf.split(state, self.parts) for state in self.states), strict=True)
        logits, after = [], []
        for rows, states in zip(tf.split(tokens, self.parts), before, strict=True):
            row_logits, *new = self.streaming([rows, *states], training=training)
            logits.append(tf.cast(row_logits, tf.float32))
            after.append(new)
        for state, new in zip(self.states, zip(*after, strict=True), strict=True):
            state.assign(tf.cast(tf.concat(new, axis=0), state.dtype))
        return logits

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """A replica's share of the mean of -ln p of the next tokens `y`, int32 (batch, time)."""
        nats = [
            tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(following, logits))
            for following, logits in zip(tf.split(y, self.parts), y_pred, strict=True)
        ]
        return global_mean.share_of_equals(tf.add_n(nats) / self.parts)
