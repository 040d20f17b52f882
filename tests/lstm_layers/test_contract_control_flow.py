"""Layers inside TensorFlow's control flow and under rematerialisation, as users train them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, PeepholeLSTM, VariantLSTM, ZoneoutLSTM

UNITS = 3
IMPLEMENTATIONS = {
    "auto": lambda **options: PeepholeLSTM(UNITS, **options),
    "xla": lambda **options: PeepholeLSTM(UNITS, implementation="xla", **options),
    "block": lambda **options: PeepholeLSTM(UNITS, implementation="block", **options),
    "gru": lambda **options: GRU(UNITS, **options),
    "gru_xla": lambda **options: GRU(UNITS, implementation="xla", **options),
    "variant": lambda **options: VariantLSTM(UNITS, **options),
}


@pytest.fixture(params=IMPLEMENTATIONS)
def make(request):
    return IMPLEMENTATIONS[request.param]


def _cond(run, taken):
    return tf.cond(taken > 0, run, lambda: tf.zeros((4, UNITS)))


def _switch(run, taken):
    return tf.switch_case(taken, [lambda: tf.zeros((4, UNITS)), run])


def _autograph(run, taken):
    if taken > 0:  # noqa: SIM108 - AutoGraph turns the statement into a condition of the graph
        outputs = run()
    else:
        outputs = tf.zeros((4, UNITS))
    return outputs


def _gradients(layer, x, flow, training):
    weights = [weight.value for weight in layer.trainable_weights]

    @tf.function
    def compute(x, taken):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = flow(lambda: layer(x, training=training), taken)
            loss = tf.reduce_sum(outputs**2)
        return outputs, tape.gradient(loss, [x, *weights], unconnected_gradients="zero")

    return compute


@pytest.mark.parametrize("flow", [_cond, _switch, _autograph])
@pytest.mark.parametrize("training", [False, True])
def test_gradients_inside_a_branch_are_those_outside(make, sequences, flow, training):
    layer = make()
    layer.build(sequences.shape)
    x = tf.constant(sequences)
    inside = _gradients(layer, x, flow, training)
    expected = _gradients(layer, x, lambda run, _: run(), training)(x, tf.constant(1))
    for one, other in zip(
        tf.nest.flatten(inside(x, tf.constant(1))), tf.nest.flatten(expected), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    for nothing in tf.nest.flatten(inside(x, tf.constant(0))):
        assert not np.any(nothing)


def _fitted(make, sequences, mode, **options):
    """Weights after two epochs, with or without rematerialisation."""
    keras.utils.set_random_seed(0)
    if mode is None:
        layer = make(**options)
    else:
        with keras.RematScope(mode=mode, output_size_threshold=1):
            layer = make(**options)
    inputs = keras.Input((6, 2))
    model = keras.Model(inputs, keras.layers.Dense(1)(layer(inputs)))
    model.compile("sgd", "mse")
    model.fit(sequences, np.ones((4, 1)), epochs=2, verbose=0)
    return model.get_weights()


@pytest.mark.parametrize("mode", ["full", "activations", "larger_than"])
@pytest.mark.parametrize("name", ["auto", "variant"])
def test_rematerialised_training_is_the_training_without(name, sequences, mode):
    make = IMPLEMENTATIONS[name]
    options = {"dropout": 0.3, "recurrent_dropout": 0.0, "weight_dropout": 0.3, "seed": 1}
    plain = _fitted(make, sequences, None, **options)
    for one, other in zip(_fitted(make, sequences, mode, **options), plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_zoneout_draws_once_for_both_passes_of_a_rematerialised_loop(sequences):
    plain = _fitted(lambda **options: ZoneoutLSTM(UNITS, **options), sequences, None, seed=1)
    again = _fitted(lambda **options: ZoneoutLSTM(UNITS, **options), sequences, "full", seed=1)
    for one, other in zip(again, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("graph", [False, True])
def test_recompute_grad_around_a_layer(make, sequences, graph):
    layer = make()
    layer.build(sequences.shape)
    x = tf.constant(sequences)
    weights = [weight.value for weight in layer.trainable_weights]

    def gradients(function):
        def compute(x):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(function(x) ** 2)
            return tape.gradient(loss, weights)

        return (tf.function(compute) if graph else compute)(x)

    def run(x):
        return layer(x, training=True)

    for one, other in zip(gradients(tf.recompute_grad(run)), gradients(run), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
