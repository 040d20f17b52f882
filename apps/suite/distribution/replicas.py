"""Rows of a batch and what belongs to them, shared out over the replicas of a distribution.

Replica r of n has the r-th of n equal runs of rows of every batch. A state that a model carries
from batch to batch is one array of all rows wherever it leaves the model, as in a checkpoint: a
training can be resumed on other machines than it was begun on. Without a distribution there is one
replica, and it has all rows.

The mean over a whole batch of which each replica sees some rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.suite.distribution import distribution


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
    """Returns `share` of a mean over this replica's part, if all parts are equally large."""
    return mean / tf.distribute.get_strategy().num_replicas_in_sync


def once(values: tf.Tensor) -> tf.Tensor:
    """Returns rows that all replicas looked up alike; only the first gives their gradient.

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


_MARK = "on_read"  # the synchronisation that tells these variables from others


def of(batch_size: int) -> int:
    """Rows of one replica. Raises errors.UserError where they can't be equal."""
    distribution.refuse_uneven(batch_size)
    return batch_size // distribution.replica_count()


def state(batch_size: int, units: int, name: str) -> keras.Variable:
    """Zeros (rows of a replica, units), not trained, of which each replica has its own.

    To be made inside `distribution.scope`, and kept in an attribute of the model.
    """
    return keras.Variable(
        "zeros",
        shape=(of(batch_size), units),
        trainable=False,
        name=name,
        synchronization=_MARK,
    )


def is_state(variable: keras.Variable) -> bool:
    """Returns whether `state` made the variable."""
    return variable.synchronization == _MARK


def copies(variable: keras.Variable) -> list[tf.Variable]:
    """Returns this process's copies of a variable, one for each of its devices."""
    strategy = distribution.strategy()
    if strategy is None:
        return [variable.value]
    return list(strategy.experimental_local_results(variable.value))


def parts(variable: keras.Variable) -> Iterator[tuple[slice, tf.Variable]]:
    """This process's parts of a `state`, and which rows of the whole batch each holds."""
    held = copies(variable)
    strategy = distribution.strategy()
    first = 0
    if strategy is not None:  # the number of this process's first replica
        numbers = strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(context.replica_id_in_sync_group)
        )
        first = int(strategy.experimental_local_results(numbers)[0])
    for number, part in enumerate(held, first):
        rows = part.shape[0]
        yield slice(number * rows, (number + 1) * rows), part


def read(variable: keras.Variable) -> np.ndarray:
    """Returns the value of a variable; for a `state`, the value of all rows.

    For a state every worker has to come here, in the same order of calls.
    """
    held = [copy.numpy() for copy in copies(variable)]
    if distribution.strategy() is None or not is_state(variable):
        return held[0]
    whole = b"".join(distribution.gathered(np.concatenate(held).tobytes()))
    return np.frombuffer(whole, held[0].dtype).reshape(whole_shape(variable))


def whole_shape(variable: keras.Variable) -> tuple[int, ...]:
    """Returns the shape of the array that `read` returns."""
    shape = tuple(variable.shape)
    if is_state(variable):
        shape = (shape[0] * distribution.replica_count(), *shape[1:])
    return shape


def write(variable: keras.Variable, value: np.ndarray) -> None:
    """Puts back what `read` returned."""
    if distribution.strategy() is None or not is_state(variable):
        variable.assign(value)
        return
    for rows, part in parts(variable):
        part.assign(value[rows])


def shared_out(stream: tf.data.Dataset) -> tf.data.Dataset:
    """Turns a stream of whole batches into one that gives each replica its rows.

    Every process computes the whole stream, and drops the rows of others: what the stream yields
    must be a function of its first step alone.
    """
    strategy = distribution.strategy()
    if strategy is None:
        return stream
    replicas = distribution.replica_count()

    def of_process(context: Any) -> tf.data.Dataset:
        here = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * here

        def cut(value: tf.Tensor) -> tf.Tensor:
            rows = of(value.shape[0])
            inner = value.shape[1:]  # of which batches of sequences leave some open
            sides = tf.concat([[replicas, rows], tf.shape(value)[1:]], axis=0)
            by_replica = tf.ensure_shape(tf.reshape(value, sides), [replicas, rows, *inner])
            return by_replica[first : first + here]

        def cut_all(*batch: Any) -> Any:
            return tf.nest.map_structure(cut, batch)

        return stream.map(cut_all).unbatch().prefetch(2 * here)

    return strategy.distribute_datasets_from_function(of_process)
