"""Keras's `fit` under `tf.distribute`, mended: the one place that knows what is wrong with it.

Three faults of Keras 3.0 to 3.15, all of its TensorFlow backend. The first two make `Model.fit`
fail under `MultiWorkerMirroredStrategy` (https://github.com/keras-team/keras/issues/20585); the
third makes it another training than that of one process, under any strategy:

- `_maybe_symbolic_build` takes the mean of a distributed batch to learn its shapes, outside of a
  function, where the batches of a worker cannot be reduced; under any strategy booleans cannot.
  Shapes need one replica's batch, and no more.
- The logs of a step are scalars, and are averaged over replicas along axis 0, which a scalar
  lacks. Logs with one axis go through.
- `clipnorm`, `global_clipnorm` and `clipvalue` act on each replica's gradient, before they are
  added up, and not on the gradient of the whole batch.

Each is looked for, and replaced where it is there: with a Keras that is mended, nothing here acts.
tests/apps/suite/distribution/test_keras_multiworker.py fails on the day when this file can go.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

# Private, therefore used in this file alone
from keras.src.backend.tensorflow import optimizer as keras_optimizer
from keras.src.backend.tensorflow import trainer as keras_trainer


@contextlib.contextmanager
def mended(model: keras.Model, strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Corrects `model.fit` under the model's strategy while the block runs."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not builds_from_a_distributed_batch(strategy):
        model._maybe_symbolic_build = _symbolic_build(model, strategy)
    if not averages_scalars(strategy):
        model.train_step = _with_an_axis(model.train_step)
    if not clips_what_is_added_up():
        add_up = optimizer._all_reduce_sum_gradients
        optimizer._clip_gradients = _clipping(optimizer._clip_gradients, add_up)
        optimizer._all_reduce_sum_gradients = lambda gradients_and_variables: (
            gradients_and_variables
        )
    try:
        yield
    finally:
        for changed in (model, optimizer):
            for name in (
                "_maybe_symbolic_build",
                "train_step",
                "_clip_gradients",
                "_all_reduce_sum_gradients",
            ):
                if name in vars(changed):
                    delattr(changed, name)
        model.train_function = None  # it holds the step


def builds_from_a_distributed_batch(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether Keras finds a distributed batch's shapes itself, by calling it."""
    batch = strategy.experimental_distribute_values_from_function(lambda _: tf.constant([True]))
    try:
        strategy.reduce("MEAN", (batch,), axis=None)
    except (TypeError, ValueError, tf.errors.InvalidArgumentError):
        return False
    return True


def averages_scalars(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether Keras averages a step's scalar logs; traces one, without other workers."""

    def logs() -> Any:
        values = strategy.run(lambda: tf.constant(1.0))
        return keras_trainer.reduce_per_replica(values, strategy, reduction="auto")

    try:
        tf.function(logs, autograph=False).get_concrete_function()
    except (TypeError, ValueError):
        return False
    return True


def clips_what_is_added_up() -> bool:
    """Returns whether Keras clips the sum of the gradients; summing in the step is too late."""
    step = inspect.getsource(keras_optimizer.TFOptimizer._backend_update_step)
    return "_all_reduce_sum_gradients" not in step


def _clipping(
    clip: Callable[[list], list], add_up: Callable[[list], list]
) -> Callable[[list], list]:
    def clipped(gradients: list) -> list:
        return clip([gradient for gradient, _ in add_up([(each, None) for each in gradients])])

    return clipped


def _symbolic_build(model: keras.Model, strategy: tf.distribute.Strategy) -> Callable[..., None]:
    def build(iterator: Any = None, data_batch: Any = None) -> None:
        if iterator is not None:
            _, _, batches = next(iter(iterator))
            data_batch = tf.nest.map_structure(
                lambda value: strategy.experimental_local_results(value)[0], next(batches)
            )
        with strategy.scope():
            model._symbolic_build(data_batch=data_batch)

    return build


def _with_an_axis(step: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    def with_an_axis(data: Any) -> dict[str, Any]:
        return tf.nest.map_structure(lambda log: tf.reshape(log, (1,)), step(data))

    return with_an_axis
