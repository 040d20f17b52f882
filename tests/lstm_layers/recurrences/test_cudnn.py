"""NVIDIA's kernel: what it is given, where it is taken, and, with a GPU, what it computes."""

import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, PeepholeLSTM
from lstm_layers.recurrences import gru_cudnn, gru_step, lstm_cudnn, lstm_step

keras_rnn = importlib.import_module("keras.src.backend.tensorflow.rnn")
BATCH, TIME, FEATURES, UNITS = 4, 7, 3, 5
RNG = np.random.default_rng(0)


def drawn(*shape):
    return tf.constant(RNG.normal(size=shape), tf.float32)


X, H, C = drawn(TIME, BATCH, FEATURES), drawn(BATCH, UNITS), drawn(BATCH, UNITS)


class Reached(Exception):
    """Carries what the operation was given."""


@pytest.fixture
def given(monkeypatch):
    """A function that calls another, and returns what this gave to the operation."""

    def stop(**arguments):
        raise Reached(arguments)

    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", stop)

    def call(function, *arguments):
        with pytest.raises(Reached) as reached:
            function(*arguments)
        return reached.value.args[0]

    return call


def assert_same(ours, keras_own):
    assert ours.keys() == keras_own.keys()
    for name, value in keras_own.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)


@pytest.mark.parametrize("biased", [True, False])
def test_the_kernel_gets_of_an_lstm_what_keras_gives_it(biased, given):
    kernel, recurrent, bias = drawn(FEATURES, 4 * UNITS), drawn(UNITS, 4 * UNITS), drawn(4 * UNITS)
    bias = bias if biased else tf.zeros_like(bias)
    weights = lstm_step.Weights(kernel, recurrent, bias if biased else None)
    ours = given(lstm_cudnn.run, X, None, (H, C), weights, lstm_step.Options())
    rest = (None, True, False, True)  # mask, time_major, go_backwards, return_sequences
    assert_same(ours, given(keras_rnn._cudnn_lstm, X, H, C, kernel, recurrent, bias, *rest))


@pytest.mark.parametrize("biased", [True, False])
def test_the_kernel_gets_of_a_gru_what_keras_gives_it(biased, given, monkeypatch):
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"is_cuda_build": True})
    kernel, recurrent, bias = drawn(FEATURES, 3 * UNITS), drawn(UNITS, 3 * UNITS), drawn(6 * UNITS)
    bias = tf.reshape(bias if biased else tf.zeros_like(bias), [2, -1])
    weights = gru_step.Weights(kernel, recurrent, *(tf.unstack(bias) if biased else ()))
    ours = given(gru_cudnn.run, X, None, (H,), weights, gru_step.Options())
    rest = (None, True, False, True)
    assert_same(ours, given(keras_rnn._cudnn_gru, X, H, kernel, recurrent, bias, *rest))


@pytest.fixture
def gpu(monkeypatch):
    """TensorFlow tells of a GPU; the kernel is not run, only traced."""
    listed = tf.config.list_logical_devices
    fake = [tf.config.LogicalDevice("/device:GPU:0", "GPU")]
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind=None: fake if kind == "GPU" else listed(kind)
    )
    monkeypatch.setattr(tf.test, "is_built_with_cuda", lambda: True)


def used(layer, training=True, mask=None, steps=TIME):
    trace = tf.function(lambda x: layer(x, training=training, mask=mask))
    graph = trace.get_concrete_function(tf.TensorSpec([BATCH, steps, FEATURES])).graph
    operations = {operation.type for operation in graph.get_operations()}
    assert ("CudnnRNNV3" in operations) == (layer.implementation_used == "cudnn")
    return layer.implementation_used


def plain(**options):
    return PeepholeLSTM(UNITS, peepholes="", **options)


@pytest.mark.parametrize("make", [plain, lambda **options: GRU(UNITS, **options)])
def test_auto_takes_it_on_a_gpu_in_training_alone(make, gpu):
    assert used(make()) == "cudnn"
    assert used(make(use_bias=False, return_state=True, go_backwards=True)) == "cudnn"
    assert used(make(), training=False) != "cudnn"  # an export runs anywhere
    assert used(make(), mask=tf.ones([BATCH, TIME], tf.bool)) != "cudnn"
    assert used(make(), steps=None) != "cudnn"
    assert used(make(recurrent_dropout=0.5)) != "cudnn"
    assert used(make(activation="relu")) != "cudnn"
    assert used(make(dtype="mixed_bfloat16")) != "cudnn"
    assert used(make(unroll=True)) != "cudnn"


def test_weights_that_it_cannot_hold_train_without_it(gpu):
    assert used(PeepholeLSTM(UNITS, peepholes="o")) != "cudnn"
    assert used(GRU(UNITS, reset_after=False)) != "cudnn"


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_without_a_gpu_it_is_refused_by_name():
    with pytest.raises(ValueError, match="needs a GPU of NVIDIA; possible here: graph"):
        plain(implementation="cudnn")(tf.ones([BATCH, TIME, FEATURES]))


@pytest.mark.skipif(not tf.config.list_physical_devices("GPU"), reason="there is no GPU")
@pytest.mark.parametrize("layer_class", [plain, GRU])
def test_it_gives_what_the_graph_gives(layer_class):
    make = plain if layer_class is plain else lambda **options: GRU(UNITS, **options)
    x = tf.transpose(X, [1, 0, 2])
    results = []
    for name in ("cudnn", "graph"):
        keras.utils.set_random_seed(0)
        layer = make(implementation=name, return_sequences=True, return_state=True)
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
            loss = tf.add_n([tf.reduce_sum(tf.sin(each)) for each in outputs])
        results.append([*outputs, *tape.gradient(loss, [x, *layer.trainable_weights])])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
