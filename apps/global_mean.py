"""The mean over a whole batch of which each replica sees some rows."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def share(total: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """This replica's share of a mean: the shares of all replicas add up to it.

    `Model.fit` adds the gradients of all replicas up, and a mean of their means would be another
    gradient wherever they count differently. Without a distribution it is total / count.

    Args:
        total: the sum over this replica's part, float32 ().
        count: what it is the sum of, float32 (); where all replicas have none the share is 0.
    """
    context = tf.distribute.get_replica_context()
    if context is not None and context.num_replicas_in_sync > 1:
        count = context.all_reduce(tf.distribute.ReduceOp.SUM, count)
    return tf.math.divide_no_nan(total, count)


def share_of_equals(mean: tf.Tensor) -> tf.Tensor:
    """`share` of a mean over this replica's part, where all replicas have as much."""
    return mean / tf.distribute.get_strategy().num_replicas_in_sync


def once(values: tf.Tensor) -> tf.Tensor:
    """`values`, rows that all replicas looked up alike; their gradient comes from the first alone.

    The norm by which Keras clips takes rows of a table that were looked up twice as two rows. Here
    what all replicas say of a row stays one, as in one process.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values

    @tf.custom_gradient
    def alike(values: tf.Tensor) -> Any:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            total = context.all_reduce(tf.distribute.ReduceOp.SUM, upstream)
            return total * tf.cast(context.replica_id_in_sync_group == 0, total.dtype)

        return tf.identity(values), gradient

    return alike(values)
