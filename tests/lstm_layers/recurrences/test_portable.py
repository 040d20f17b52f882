"""The portable loop against the one with the derived gradient, where TensorFlow has both."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers.recurrences import portable

OPTIONS = {"return_sequences": True, "return_state": True}
DERIVED = ("peephole_lstm", "gru", "gru_reset_before")


@pytest.fixture(params=DERIVED)
def make_derived_layer(request, all_layers):
    """Makes a layer that has both loops."""
    if request.param == "gru_reset_before":
        return lambda **options: all_layers["gru"](reset_after=False, **options)
    return all_layers[request.param]


def _values_and_gradients(layer, sequences, mask, states, training):
    with tf.GradientTape() as tape:
        x = tf.constant(sequences)
        states = [tf.constant(state) for state in states]
        tape.watch([x, *states])
        outputs = layer(x, initial_state=states, mask=mask, training=training)
        loss = tf.add_n([tf.reduce_sum(tf.sin(tf.cast(y, tf.float32) + 1.0)) for y in outputs])
    weights = [weight.value for weight in layer.trainable_variables]
    return [*outputs, *tape.gradient(loss, [x, *states, *weights])]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"go_backwards": True},
        {"unroll": True},
        {"dropout": 0.4, "recurrent_dropout": 0.4, "weight_dropout": 0.4, "seed": 3},
        {"use_bias": False, "activation": "softsign", "recurrent_activation": "hard_sigmoid"},
    ],
    ids=lambda options: ", ".join(options),
)
@pytest.mark.parametrize("kind", [None, "mixed"])
def test_values_and_gradients_are_those_of_the_derived_loop(
    make_derived_layer, sequences, masks, options, kind
):
    mask = None if kind is None else tf.constant(masks[kind])
    results = []
    for implementation in ("graph", "portable"):
        keras.utils.set_random_seed(0)
        layer = make_derived_layer(implementation=implementation, **OPTIONS, **options)
        layer.build(sequences.shape)
        rng = np.random.default_rng(1)
        layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
        states = [rng.normal(size=(4, 3)).astype("float32") for _ in layer.state_size]
        results.append(_values_and_gradients(layer, sequences, mask, states, training=True))
        assert layer.implementation_used == implementation
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_gradients_of_the_recurrent_kernel_add_up_in_32_bits(make_derived_layer):
    """A sum over 500 steps kept in bfloat16 would stop growing long before the end."""
    x = np.ones((1, 500, 1), "float32")
    gradients = []
    for dtype in ("float32", "mixed_bfloat16"):
        layer = make_derived_layer(implementation="portable", dtype=dtype, return_sequences=True)
        layer.build(x.shape)
        layer.set_weights([np.full(weight.shape, 0.125) for weight in layer.weights])
        run = tf.function(lambda layer=layer: layer(x))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(run(), tf.float32))
        kernel = layer.trainable_variables[1].value
        gradients.append(tape.gradient(loss, kernel).numpy())
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=0.1)


@pytest.mark.parametrize("unroll", [False, True])
def test_scan_hands_the_carry_on_and_keeps_the_first_of_each(unroll):
    steps = tf.constant([[1.0], [2.0], [3.0]])
    run = tf.function(
        lambda: portable.scan(
            lambda carry, x: [carry[0] + x, carry[1] * x],
            [tf.zeros(1), tf.ones(1)],
            [steps],
            unroll=unroll,
        )
    )
    outputs, (total, product) = run()
    np.testing.assert_array_equal(outputs, [[1.0], [3.0], [6.0]])
    assert (total.numpy().item(), product.numpy().item()) == (6.0, 6.0)


def test_scan_refuses_to_write_out_an_unknown_number_of_steps():
    run = tf.function(
        lambda x: portable.scan(lambda carry, x: carry, [x[0]], [x], unroll=True),
        input_signature=[tf.TensorSpec([None, 2])],
    )
    with pytest.raises(ValueError, match="unroll=True"):
        run.get_concrete_function()
