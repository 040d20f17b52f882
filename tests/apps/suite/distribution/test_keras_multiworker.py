"""What is mended in Keras is still broken there, and is whole again with the mending."""

import json
import os

import numpy as np
import pytest

from apps.suite.distribution import keras_multiworker
from tests.apps import processes

GONE = "Keras is mended: take this part out of apps/suite/distribution/keras_multiworker.py"
pytestmark = pytest.mark.slow


def test_keras_still_needs_every_part_of_the_mending(tmp_path):
    workers = processes.Workers(tmp_path, _says_what_works)
    assert workers.statuses() == [0, 0], workers.logs()
    for index in range(2):
        found = json.loads(workers.log(index).split("FOUND")[1])
        assert found == {"builds": False, "averages": False, "clips": False}, GONE
    assert "fit failed without: ValueError" in workers.log(0), GONE


def _says_what_works() -> None:
    import keras
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    stream = tf.data.Dataset.from_tensors((tf.ones((2, 1)), tf.ones((2, 1)))).repeat()
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    stream = stream.with_options(options)
    try:
        model.fit(stream, steps_per_epoch=2, verbose=0)
    except Exception as error:
        print(f"fit failed without: {type(error).__name__}")
    with keras_multiworker.mended(model, strategy):
        model.fit(stream, steps_per_epoch=2, verbose=0)
    assert "train_step" not in vars(model), "nothing stays behind"
    found = {
        "builds": keras_multiworker.builds_from_a_distributed_batch(strategy),
        "averages": keras_multiworker.averages_scalars(strategy),
        "clips": keras_multiworker.clips_what_is_added_up(),
    }
    print("FOUND", json.dumps(found), "FOUND", flush=True)


@pytest.mark.parametrize(
    "clipping", [{"clipnorm": 0.1}, {"global_clipnorm": 0.1}, {"clipvalue": 0.1}]
)
def test_what_is_clipped_is_the_gradient_of_the_whole_batch(tmp_path, clipping):
    workers = processes.Workers(tmp_path, _one_step, clipping, count=1)
    assert workers.statuses() == [0], workers.logs()
    plain, stock, mended = (
        np.array(json.loads(line)) for line in workers.log(0).splitlines() if line.startswith("[")
    )
    np.testing.assert_allclose(mended, plain, atol=1e-7)
    assert np.abs(stock - plain).max() > 1e-3, GONE


def _one_step(clipping: dict[str, float]) -> None:
    """Weights after one step of two unlike rows: alone, shared as Keras does it, and mended."""
    os.environ.pop("TF_CONFIG", None)
    import contextlib

    import keras
    import tensorflow as tf

    processes.divide_cpu(2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    x, y = tf.constant([[3.0, -1.0], [0.1, 0.7]]), tf.constant([[-5.0], [4.0]])
    stream = tf.data.Dataset.from_tensors((x, y)).repeat()
    for scope, mends in (
        (contextlib.nullcontext(), 0),
        (strategy.scope(), 0),
        (strategy.scope(), 1),
    ):
        with scope:
            dense = keras.layers.Dense(1, kernel_initializer="ones")
            model = keras.Sequential([keras.Input((2,)), dense])
            model.compile(keras.optimizers.SGD(1.0, **clipping), "mse")
            model.optimizer.build(model.trainable_variables)
        mended = keras_multiworker.mended(model, strategy) if mends else contextlib.nullcontext()
        with mended:
            model.fit(stream, steps_per_epoch=1, verbose=0)
        print(json.dumps([value.tolist() for value in model.get_weights()[0]]), flush=True)
