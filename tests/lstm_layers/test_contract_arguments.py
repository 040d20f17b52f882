"""Every layer heeds the arguments of `keras.layers.Layer`, and refuses shapes that do not fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, PeepholeLSTM, SimpleRNN


def test_activity_regularizer_adds_the_loss_of_the_outputs(make_layer, sequences):
    layer = make_layer(return_sequences=True, activity_regularizer=keras.regularizers.L2(0.5))
    outputs = layer(sequences)
    expected = 0.5 * np.sum(np.square(outputs)) / 4
    np.testing.assert_allclose(sum(layer.losses), expected, rtol=1e-5)
    copy = type(layer).from_config(layer.get_config())
    assert float(copy.activity_regularizer.l2) == 0.5


@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")
def test_input_shape_builds_a_sequential_model(make_layer):
    model = keras.Sequential([make_layer(input_shape=(6, 2)), keras.layers.Dense(1)])
    assert model.built
    assert model.output_shape == (None, 1)


def test_autocast_survives_its_configuration(make_layer, sequences):
    layer = make_layer(autocast=False)
    assert not layer.autocast
    assert not type(layer).from_config(layer.get_config()).autocast
    assert make_layer().get_config().get("autocast", True)
    layer(sequences)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 2, 1), (2,)])
def test_inputs_of_another_rank_are_refused(make_layer, shape):
    with pytest.raises(ValueError, match="expected ndim=3"):
        make_layer()(np.zeros(shape, "float32"))
    with pytest.raises(ValueError, match=r"reads \(batch, time, features\)"):
        make_layer().build(shape)


def test_another_number_of_features_is_refused(make_layer, sequences):
    layer = make_layer()
    layer(sequences)
    assert layer.input_spec.ndim == 3
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 2"):
        layer(np.zeros((4, 6, 3), "float32"))


def test_every_option_of_the_configuration_is_an_attribute(make_layer):
    layer = make_layer()
    config = layer.get_config()
    del config["dtype"]
    for name, value in config.items():
        found = getattr(layer, name)
        assert isinstance(value, (dict, str)) or found == value, name


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (PeepholeLSTM(3, dropout=0.1), keras.layers.LSTM(3, dropout=0.1)),
        (GRU(3, seed=4), keras.layers.GRU(3, seed=4)),
        (SimpleRNN(3, activation="relu"), keras.layers.SimpleRNN(3, activation="relu")),
    ],
)
def test_attributes_are_those_of_the_layers_of_keras(ours, theirs):
    names = [name for name in theirs.get_config() if hasattr(theirs, name)]
    assert {"units", "activation", "kernel_initializer", "dropout"} <= set(names)
    for name in set(names) - {"name", "dtype"}:
        one, other = getattr(ours, name), getattr(theirs, name)
        if isinstance(one, keras.initializers.Initializer):
            assert type(one) is type(other), name
        else:
            assert one == other, name


def test_losses_of_regularizers_come_from_all_layers_within(make_layer, sequences):
    layer = make_layer(kernel_regularizer=keras.regularizers.L2(1.0))
    layer(sequences)
    kernels = [weight for weight in layer.weights if weight.name == "kernel"]
    expected = sum(np.sum(np.square(kernel)) for kernel in kernels)
    np.testing.assert_allclose(sum(layer.losses), expected, rtol=1e-5)


def test_trainable_can_be_switched(make_layer, sequences):
    layer = make_layer()
    layer(sequences)
    count = len(layer.trainable_weights)
    layer.trainable = False
    assert not layer.trainable_weights
    assert len(layer.non_trainable_weights) == count
    assert not type(layer).from_config(layer.get_config()).trainable
    layer.trainable = True
    assert len(layer.trainable_weights) == count


def test_states_and_their_reset_have_the_names_that_keras_gives_them(make_layer, sequences):
    layer = make_layer(stateful=True)
    assert layer.states is None
    layer(sequences)
    assert [tuple(state.shape) for state in layer.states] == [(4, 3)] * len(layer.state_size)
    assert all(np.any(state) for state in layer.states)
    layer.reset_states()
    assert not any(np.any(state) for state in layer.states)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16", "mixed_bfloat16"])
def test_sixteen_bits_train(make_layer, sequences, dtype):
    inputs = keras.Input((6, 2))
    outputs = keras.layers.Dense(1, dtype=dtype)(make_layer(dtype=dtype)(inputs))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    before = [weight.numpy().astype("float32") for weight in model.weights]
    history = model.fit(sequences, np.ones((4, 1)), verbose=0)
    assert np.isfinite(history.history["loss"][0])
    assert any(
        (weight.numpy() != was).any() for weight, was in zip(model.weights, before, strict=True)
    )


STEPLESS = [None, "graph", "block", "xla", "portable"]


@pytest.mark.parametrize("implementation", STEPLESS)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dynamic", [False, True])
def test_without_a_step_states_stay_as_they_are(make_layer, implementation, masked, dynamic):
    options = {} if implementation is None else {"implementation": implementation}
    layer = make_layer(return_sequences=True, return_state=True, **options)
    has = (PeepholeLSTM, GRU) if implementation == "xla" else PeepholeLSTM
    if implementation in ("graph", "block", "xla") and not isinstance(layer, has):
        pytest.skip("the layer has no such implementation, or is made of such ones")
    layer.build((None, None, 2))
    states = [tf.fill((4, size), 0.25 * n + 0.25) for n, size in enumerate(layer.state_size)]

    def run(x, mask, states):
        return layer(x, mask=mask if masked else None, initial_state=states)

    if dynamic:
        signature = [
            tf.TensorSpec([None, None, 2]),
            tf.TensorSpec([None, None], tf.bool),
            [tf.TensorSpec([None, size]) for size in layer.state_size],
        ]
        run = tf.function(run, input_signature=signature)
    outputs, *last = run(tf.zeros((4, 0, 2)), tf.zeros((4, 0), tf.bool), states)
    assert outputs.shape[:2] == (4, 0)
    for after, before in zip(last, states, strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("kind", [PeepholeLSTM, GRU])
def test_without_a_step_a_gradient_reaches_the_initial_state_alone(kind):
    layer = kind(3, implementation="xla")
    layer.build((None, None, 2))

    def gradients(x):
        states = [tf.ones((4, 3)) for _ in layer.state_size]
        weights = [weight.value for weight in layer.trainable_weights]
        with tf.GradientTape() as tape:
            tape.watch(states)
            loss = tf.reduce_sum(layer(x, initial_state=states, training=True))
        return tape.gradient(loss, [states, weights], unconnected_gradients="zero")

    run = tf.function(gradients, input_signature=[tf.TensorSpec([None, None, 2])])
    of_states, of_weights = run(tf.zeros((4, 0, 2)))
    np.testing.assert_array_equal(of_states[0], np.ones((4, 3)))
    for gradient in [*of_states[1:], *of_weights]:
        assert not np.any(gradient)


def test_the_last_output_without_a_step_is_the_initial_h(make_single_layer):
    layer = make_single_layer(zero_output_for_mask=True)
    states = [tf.fill((4, size), 0.5) for size in layer.state_size]
    for mask in (None, tf.zeros((4, 0), tf.bool)):
        outputs = layer(tf.zeros((4, 0, 2)), initial_state=states, mask=mask)
        np.testing.assert_array_equal(outputs, states[0])
