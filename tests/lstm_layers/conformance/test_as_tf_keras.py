"""The tests of `tf_keras/layers/rnn`, in own words."""

import copy

import keras
import numpy as np
import pytest
import tensorflow as tf

ALL = {"return_sequences": True, "return_state": True}


def _given(counterpart, states):
    return states[: 2 if counterpart.kind == "lstm" else 1]


def _masked_model(counterpart, steps=None, **options):
    """Makes `Masking` and two layers above each other, and returns the model and the layers.

    Models here train eagerly, which takes no seconds; in graphs others do so.
    """
    lower, upper = counterpart.make(return_sequences=True, **options), counterpart.make(**options)
    lower.build((None, steps, 2))
    upper.build((None, steps, 3))
    for seed, layer in enumerate((lower, upper)):
        counterpart.draw(layer, seed)
    model = keras.Sequential([keras.Input((steps, 2)), keras.layers.Masking(), lower, upper])
    return model, lower, upper


@pytest.mark.parametrize("unroll", [False, True])
def test_a_mask_goes_through_layers_above_each_other(
    counterpart, sequences, masks, assert_close, unroll
):
    """`test_masking_with_stacking`: in `predict`, and in a step of training."""
    mask = masks["mixed"]
    x = (sequences * mask[..., None]).astype("float32")
    model, lower, upper = _masked_model(counterpart, 6 if unroll else None, unroll=unroll)
    between, _ = counterpart.expected(lower, x, mask=mask)
    expected, _ = counterpart.expected(upper, between, mask=mask)
    assert_close(model(x), expected[:, -1])
    model.compile("sgd", "mse", run_eagerly=True)
    loss = model.train_on_batch(x, np.zeros((4, 3), "float32"))
    assert_close(loss, np.mean(expected[:, -1] ** 2))


def test_a_batch_that_is_masked_as_a_whole(counterpart, assert_close):
    """`test_with_fully_masked_inputs`: the answer is the first state, and it trains to numbers."""
    model, *layers = _masked_model(counterpart)
    x = np.zeros((5, 6, 2), "float32")
    np.testing.assert_array_equal(model(x), np.zeros((5, 3)))
    model.compile("sgd", "mse", run_eagerly=True)
    before = [weight.numpy() for layer in layers for weight in layer.weights]
    assert np.isfinite(model.train_on_batch(x, np.ones((5, 3), "float32")))
    after = [weight.numpy() for layer in layers for weight in layer.weights]
    assert_close(after, before)


def test_a_mask_with_states_that_are_given(counterpart, sequences, states, masks, assert_close):
    """`test_specify_state_with_masking`: `tf_keras` only asks that it trains; here, what it is."""
    mask, given = masks["gaps"], _given(counterpart, states)
    x = (sequences * mask[..., None]).astype("float32")
    inputs, layer = keras.Input((None, 2)), counterpart.build(return_state=True)
    symbols = [keras.Input((3,)) for _ in given]
    outputs = layer(keras.layers.Masking()(inputs), initial_state=symbols)
    found = keras.Model([inputs, *symbols], outputs)([x, *given])
    _, expected = counterpart.expected(layer, x, state=given, mask=mask)
    assert_close(found, [expected[0], *expected])


@pytest.mark.parametrize("symbolic", [False, True])
def test_states_of_one_layer_are_the_start_of_another(
    counterpart, sequences, assert_close, symbolic
):
    """`test_state_reuse`: the sequence of one layer, and its states, into the next."""
    first = counterpart.build(**ALL)
    second = counterpart.make()
    second.build((None, None, 3))
    counterpart.draw(second, 2)

    def both(x):
        outputs, *last = first(x)
        return second(outputs, initial_state=last)

    run = both
    if symbolic:
        inputs = keras.Input((None, 2))
        run = keras.Model(inputs, both(inputs))
    between, state = counterpart.expected(first, sequences)
    expected, _ = counterpart.expected(second, between, state=state)
    assert_close(run(sequences), expected[:, -1])


def test_states_that_another_layer_computes(counterpart, sequences, assert_close):
    """`test_specify_initial_state_keras_tensor`: the gradient reaches what made the states."""
    count = 2 if counterpart.kind == "lstm" else 1
    inputs, context = keras.Input((None, 2)), keras.Input((4,))
    denses = [keras.layers.Dense(3, activation="tanh") for _ in range(count)]
    layer = counterpart.build()
    outputs = layer(inputs, initial_state=[dense(context) for dense in denses])
    model = keras.Model([inputs, context], outputs)
    told = np.random.default_rng(1).normal(size=(4, 4)).astype("float32")
    given = [dense(told).numpy() for dense in denses]
    expected, _ = counterpart.expected(layer, sequences, state=given)
    assert_close(model([sequences, told]), expected[:, -1])
    model.compile("sgd", "mse", run_eagerly=True)
    before = [dense.kernel.numpy() for dense in denses]
    model.train_on_batch([sequences, told], np.ones((4, 3), "float32"))
    for dense, kernel in zip(denses, before, strict=True):
        assert np.abs(dense.kernel.numpy() - kernel).max() > 1e-6


def test_64_bits(counterpart, sequences):
    """`test_float64`: the equations to the rounding of 64 bits, not to that of 32."""
    layer = counterpart.build(**ALL, dtype="float64")
    x = sequences.astype("float64")
    outputs, *last = layer(x)
    assert outputs.dtype == last[0].dtype == tf.float64
    expected, state = counterpart.expected(layer, x)
    for one, other in zip((outputs, *last), (expected, *state), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("bias_initializer", ["zeros", "ones", "random_uniform"])
def test_weights_go_through_a_file(counterpart, sequences, tmp_path, use_bias, bias_initializer):
    """`test_lstm_model_save_load`."""
    options = {"use_bias": use_bias, "bias_initializer": bias_initializer}

    def model():
        return keras.Sequential([keras.Input((None, 2)), counterpart.make(**options)])

    one, other = model(), model()
    one.save_weights(tmp_path / "layer.weights.h5")
    other.load_weights(tmp_path / "layer.weights.h5")
    np.testing.assert_array_equal(one(sequences), other(sequences))


def test_regularizers_add_losses_and_constraints_hold(counterpart, sequences):
    """`test_regularizers` and `test_constraints`, on the kernel, the recurrent one and the bias."""
    names = "kernel", "recurrent", "bias"
    layer = counterpart.make(
        **{
            f"{name}_regularizer": keras.regularizers.L1(0.01 * (n + 1))
            for n, name in enumerate(names)
        },
        **{f"{name}_constraint": keras.constraints.MaxNorm(0.05) for name in names},
        activity_regularizer="l2",
    )
    outputs = layer(sequences)
    weights = [layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias]
    expected = [0.01 * (n + 1) * np.abs(w.numpy()).sum() for n, w in enumerate(weights)]
    expected.append(0.01 * np.square(outputs).sum() / len(sequences))
    found = sorted(float(loss) for loss in layer.losses)
    np.testing.assert_allclose(found, sorted(expected), rtol=1e-4)
    model = keras.Sequential([keras.Input((None, 2)), layer])
    model.compile(keras.optimizers.SGD(1.0), "mse", run_eagerly=True)
    model.train_on_batch(sequences, np.ones((4, 3), "float32"))
    for weight in weights:
        assert np.linalg.norm(weight.numpy(), axis=0).max() < 0.0501


def test_a_copy_is_another_layer_with_the_same_answers(counterpart, sequences):
    """`test_deepcopy`."""
    layer = counterpart.build()
    other = copy.deepcopy(layer)
    np.testing.assert_array_equal(other(sequences), layer(sequences))
    counterpart.draw(other, 9)
    assert np.abs(other(sequences) - layer(sequences)).max() > 1e-3


def test_a_cloned_model_names_its_weights_alike(counterpart):
    """`test_cloned_weight_names`."""
    model = keras.Sequential([keras.Input((None, 2)), counterpart.make(name="layer")])
    clone = keras.models.clone_model(model)
    paths = [[weight.path for weight in each.weights] for each in (model, clone)]
    assert paths[0] == paths[1]
    assert len(set(paths[0])) == len(paths[0])


@pytest.mark.parametrize("branch", [True, False])
def test_a_branch_of_a_graph(counterpart, sequences, assert_close, branch):
    """`test_LSTM_runtime_with_cond`: the layer on one side of a condition, none on the other."""
    layer = counterpart.build()

    @tf.function
    def run(x, take):
        return tf.cond(take, lambda: layer(x, training=True), lambda: tf.zeros((4, 3)))

    expected, _ = counterpart.expected(layer, sequences)
    assert_close(run(sequences, tf.constant(branch)), expected[:, -1] * branch)


def test_a_persistent_tape_gives_each_gradient(counterpart, sequences):
    """`test_in_tape`: two losses of one call, each with its own gradient, twice the same."""
    layer = counterpart.build(return_sequences=True)
    x = tf.constant(sequences)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        outputs = layer(x, training=True)
        first, last = tf.reduce_sum(outputs[:, 0]), tf.reduce_sum(outputs[:, -1])
    assert not np.any(tape.gradient(first, x)[:, 1:])
    assert np.all(tape.gradient(last, x)[:, -1])
    np.testing.assert_array_equal(tape.gradient(last, x), tape.gradient(last, x))


def test_recurrent_dropout_goes_on_in_a_stateful_layer(counterpart, sequences):
    """`test_recurrent_dropout_with_stateful_RNN`, with batches of other lengths in turn."""
    layer = counterpart.make(stateful=True, recurrent_dropout=0.5, seed=1)
    layer.build((4, None, 2))
    for steps in (6, 2, 5):
        assert np.isfinite(layer(sequences[:, :steps], training=True)).all()


@pytest.mark.parametrize("training", [False, True])
def test_dropout_draws_for_each_batch_anew(counterpart, sequences, training):
    """`test_reset_dropout_mask_between_batch`: rows of ones in, and no batch like another."""
    layer = counterpart.build(dropout=0.5, recurrent_dropout=0.5, seed=3)
    x = np.ones_like(sequences)
    answers = {layer(x, training=training).numpy().tobytes() for _ in range(3)}
    assert len(answers) == (3 if training else 1)


def test_one_step_unrolled(counterpart, sequences, assert_close):
    """`test_unroll_single_step`."""
    layer = counterpart.build(unroll=True, **ALL)
    expected, state = counterpart.expected(layer, sequences[:, :1])
    assert_close(list(layer(sequences[:, :1])), [expected, *state])


def test_no_step_unrolled_is_the_first_state(counterpart, states):
    """`test_unroll_zero_step`: refused there; here the states as they were."""
    given = _given(counterpart, states)
    layer = counterpart.build(unroll=True, **ALL)
    outputs, *last = layer(np.zeros((4, 0, 2), "float32"), initial_state=given)
    assert outputs.shape == (4, 0, 3)
    for after, before in zip(last, given, strict=True):
        np.testing.assert_array_equal(after, before)


def test_trainable_is_switched_on_the_layer_and_reaches_its_cell(counterpart):
    """`test_rnn_dynamic_trainability` and `test_rnn_cell_trainability`."""
    layer = counterpart.build()
    count = len(layer.weights)
    layer.trainable = False
    assert (len(layer.trainable_weights), len(layer.non_trainable_weights)) == (0, count)
    layer.trainable = True
    assert (len(layer.trainable_weights), len(layer.non_trainable_weights)) == (count, 0)
    layer.cell.trainable = False
    assert not layer.trainable_weights


def test_a_ragged_tensor_is_refused_by_name(counterpart):
    """`test_rnn_with_ragged_input`: Keras 3 has no ragged sequences; padding and a mask do it."""
    ragged = tf.ragged.constant([[[1.0, 2.0]], [[1.0, 2.0], [3.0, 4.0]]], ragged_rank=1)
    with pytest.raises((ValueError, TypeError), match=r"(?i)ragged"):
        counterpart.build()(ragged)


def test_initial_states_are_zeros_of_the_cells_sizes(counterpart):
    """`test_get_initial_states`."""
    layer = counterpart.make()
    count = 2 if counterpart.kind == "lstm" else 1
    states = layer.get_initial_state(batch_size=5)
    assert [tuple(state.shape) for state in states] == [(5, 3)] * count
    assert not any(np.any(state) for state in states)


def test_a_batch_size_in_the_input_of_a_stateful_model(counterpart, sequences, assert_close):
    """`test_full_input_spec` and `test_statefulness`: `predict` twice goes on, a reset starts."""
    layer = counterpart.make(stateful=True)
    model = keras.Sequential([keras.Input(batch_shape=(4, 6, 2)), layer])
    first, state = counterpart.expected(layer, sequences)
    second, _ = counterpart.expected(layer, sequences, state=state)
    for expected in (first, second):
        assert_close(model.predict(sequences, batch_size=4, verbose=0), expected[:, -1])
    layer.reset_state()
    assert_close(model.predict(sequences, batch_size=4, verbose=0), first[:, -1])


def test_padding_to_the_left_of_a_stateful_layer(counterpart, sequences, masks, assert_close):
    """`test_statefulness`, its second half: what is masked does not move the states."""
    layer = counterpart.make(stateful=True)
    model = keras.Sequential([keras.Input(batch_shape=(4, 6, 2)), keras.layers.Masking(), layer])
    mask = masks["left"]
    x = (sequences * mask[..., None]).astype("float32")
    _, state = counterpart.expected(layer, x, mask=mask)
    model(x)
    expected, _ = counterpart.expected(layer, x, state=state, mask=mask)
    assert_close(model(x), expected[:, -1])


def test_the_first_layer_of_a_device(counterpart, sequences, masks, assert_close):
    """`test_explicit_device_with_go_backward_and_mask`."""
    layer = counterpart.build(go_backwards=True)
    mask = masks["right"]
    expected, _ = counterpart.expected(layer, sequences, mask=mask, backwards=True)
    with tf.device("/cpu:0"):
        assert_close(layer(sequences, mask=tf.constant(mask)), expected[:, -1])
