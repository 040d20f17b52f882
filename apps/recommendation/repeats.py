"""Mixes the network's scores with pointers to a history's items, which people take again."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.suite.distribution import replicas

_NOTHING = -1e9  # a weight's logarithm that no softmax sees
_FASTER = 10.0
_TINY = 1e-20  # keeps the logarithm of a share finite


@keras.saving.register_keras_serializable(package="recommendation")
class Repeats(keras.layers.Layer):
    """Mixes the network's expectation with pointers to the history.

        p_j = (1 - g) softmax(s)_j + g Σ_t a_t [x_t = j]
        g = σ(w · q + 10 c)        a = softmax over t of 10 d(age of t)

    After the pointer sentinel mixture (Merity et al. 2017) and RepeatNet (Ren et al. 2019): a
    pointer finds an item that training hardly knows, too. Here the weights a depend on the age
    alone, in items: 0 for the last one.

    The factors of 10 let c and d, whose sizes differ much from log to log, move faster than an
    optimizer that moves all weights alike would.

    Weights: `gate` w (units,), `gate_bias` c (), `ages` d (oldest,).

    Args:
        units: size of q.
        oldest: ages from 0 that have a weight of their own; older ones share the last.

    Call arguments:
        scores: s, float32 (batch, items); column 0 is the item of code 1.
        queries: q (batch, units).
        history: x, int32 (batch, time), 0 for padding.

    Returns:
        ln p, float32 (batch, items); of an empty history ln softmax(s).
    """

    def __init__(self, units: int, oldest: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = units
        self.oldest = oldest

    def build(self, *_: Any) -> None:
        self.gate = self.add_weight(shape=(self.units,), initializer="zeros", name="gate")
        self.gate_bias = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(-0.1), name="gate_bias"
        )
        self.ages = self.add_weight(shape=(self.oldest,), initializer="zeros", name="ages")
        self.ages.assign(-0.005 * np.arange(self.oldest, dtype=np.float32))
        self.built = True

    def call(self, scores: Any, queries: Any, history: Any) -> Any:
        known = history > 0
        later = tf.cumsum(tf.cast(known, tf.int32), axis=1, exclusive=True, reverse=True)
        weights = tf.nn.softmax(tf.where(known, self._of_age(later), _NOTHING), axis=1)
        same = tf.cast(history[:, :, None] == history[:, None, :], weights.dtype)
        shares = tf.linalg.matvec(same, weights)  # of each place the share of its item
        gate = tf.where(tf.reduce_any(known, axis=1), self._gate(queries), _NOTHING)[:, None]
        mixed = tf.nn.log_softmax(scores) + tf.math.log_sigmoid(-gate)
        columns = tf.maximum(history - 1, 0)
        pointed = tf.math.log_sigmoid(gate) + tf.math.log(shares + _TINY)
        both = _log_add(tf.gather(mixed, columns, batch_dims=1), pointed)
        rows = tf.broadcast_to(tf.range(tf.shape(history)[0])[:, None], tf.shape(history))
        both = tf.where(known, both, mixed.dtype.min)
        return tf.tensor_scatter_nd_max(mixed, tf.stack([rows, columns], axis=2), both)

    def right_shares(self, history: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Returns Σ_t a_t [x_t = y] at every step of histories whose zeros all follow the items.

        Args:
            history, targets: int32 (batch, time); y is the code that follows each step.

        Returns:
            float32 (batch, time).
        """
        steps = tf.range(tf.shape(history)[1])
        age = steps[:, None] - steps[None, :]
        of_age = replicas.once(self._of_age(tf.maximum(age, 0)))
        weights = tf.nn.softmax(tf.where(age >= 0, of_age, _NOTHING))
        same = tf.cast(targets[:, :, None] == history[:, None, :], weights.dtype)
        return tf.einsum("ij,bij->bi", weights, same)

    def mixed_loss(self, loss: tf.Tensor, queries: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
        """Returns -ln p of right items from -ln softmax(s) and `right_shares` (positions,)."""
        gate = self._gate(queries)
        pointed = tf.math.log_sigmoid(gate) + tf.math.log(shares + _TINY)
        return -_log_add(tf.math.log_sigmoid(-gate) - loss, pointed)

    def _gate(self, queries: tf.Tensor) -> tf.Tensor:
        return tf.linalg.matvec(queries, tf.convert_to_tensor(self.gate)) + _FASTER * self.gate_bias

    def _of_age(self, age: tf.Tensor) -> tf.Tensor:
        return _FASTER * tf.gather(
            tf.convert_to_tensor(self.ages), tf.minimum(age, self.oldest - 1)
        )

    def compute_output_spec(self, scores: Any, queries: Any, history: Any) -> keras.KerasTensor:
        return keras.KerasTensor(scores.shape, scores.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "oldest": self.oldest}


def _log_add(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns ln(exp a + exp b)."""
    return tf.maximum(one, other) + tf.math.softplus(-tf.abs(one - other))
