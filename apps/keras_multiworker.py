"""Keras's `fit` across machines, mended: the one place that knows what is wrong with it.

Keras 3.0 to 3.15 (https://github.com/keras-team/keras/issues/20585) fails in `Model.fit` under
`tf.distribute.MultiWorkerMirroredStrategy` for two reasons, both in its TensorFlow trainer:

- `_maybe_symbolic_build` reduces a distributed batch to learn its shapes, outside of a function,
  where the batches of a worker cannot be reduced. Shapes need one replica's batch, and no more.
- The logs of a step are scalars, and are averaged over replicas along axis 0, which a scalar
  lacks. Logs with one axis go through.

Each is tried first as Keras has it, and replaced where that fails: with a Keras that is mended,
nothing here acts. tests/apps/test_keras_multiworker.py fails on the day when this file can go.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

# Private, therefore used in this file alone
from keras.src.backend.tensorflow import trainer as keras_trainer


@contextlib.contextmanager
def mended(model: keras.Model, strategy: tf.distribute.Strategy) -> Iterator[None]:
    """While the block runs, `model.fit` works under the model's strategy."""
    if not builds_from_a_distributed_batch(strategy):
        model._maybe_symbolic_build = _symbolic_build(model, strategy)
    if not averages_scalars(strategy):
        model.train_step = _with_an_axis(model.train_step)
    try:
        yield
    finally:
        for name in ("_maybe_symbolic_build", "train_step"):
            if name in vars(model):
                delattr(model, name)
        model.train_function = None  # it holds the step


def builds_from_a_distributed_batch(strategy: tf.distribute.Strategy) -> bool:
    """Whether Keras's own way to a batch's shapes works; asks as Keras does."""
    batch = strategy.experimental_distribute_values_from_function(lambda _: tf.zeros((1,)))
    try:
        strategy.reduce("MEAN", (batch,), axis=None)
    except (TypeError, ValueError):
        return False
    return True


def averages_scalars(strategy: tf.distribute.Strategy) -> bool:
    """Whether Keras reduces a step's scalar logs; traces it, and asks no other worker."""

    def logs() -> Any:
        values = strategy.run(lambda: tf.constant(1.0))
        return keras_trainer.reduce_per_replica(values, strategy, reduction="auto")

    try:
        tf.function(logs, autograph=False).get_concrete_function()
    except (TypeError, ValueError):
        return False
    return True


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
