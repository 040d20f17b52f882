"""The mean over a whole batch of which each replica sees some rows."""

from __future__ import annotations

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
