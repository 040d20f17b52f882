import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, BiLSTM, PeepholeLSTM, StackedLSTM, computed_by
from lstm_layers.recurrences import lstm_block, lstm_graph


def test_shapes_with_every_combination_of_returned_values(make_causal_layer, sequences):
    count = len(make_causal_layer().state_size)
    for return_sequences in (False, True):
        output_shape = (4, 6, 3) if return_sequences else (4, 3)
        layer = make_causal_layer(return_sequences=return_sequences)
        assert layer(sequences).shape == layer.compute_output_shape((4, 6, 2)) == output_shape
        layer = make_causal_layer(return_sequences=return_sequences, return_state=True)
        shapes = [tuple(result.shape) for result in layer(sequences)]
        assert shapes == [output_shape, *[(4, 3)] * count]
        assert list(layer.compute_output_shape((4, 6, 2))) == shapes


def test_the_last_output_is_the_last_of_all_outputs_and_the_first_state(
    make_single_layer, sequences
):
    layer = make_single_layer(return_sequences=True, return_state=True)
    outputs, h, *_ = layer(sequences)
    np.testing.assert_array_equal(outputs[:, -1], h)
    last = make_single_layer()
    last.build(sequences.shape)
    last.set_weights(layer.get_weights())
    np.testing.assert_array_equal(last(sequences), h)


def test_backwards_is_forwards_on_the_reversed_sequence(make_causal_layer, sequences, masks):
    forward = make_causal_layer(return_sequences=True, return_state=True)
    backward = make_causal_layer(return_sequences=True, return_state=True, go_backwards=True)
    mask = masks["gaps"]
    expected = forward(sequences[:, ::-1], mask=tf.constant(mask[:, ::-1]))
    backward.build(sequences.shape)
    backward.set_weights(forward.get_weights())
    for one, other in zip(backward(sequences, mask=tf.constant(mask)), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_at_masked_steps_the_output_is_the_one_before_or_zero(make_causal_layer, sequences, masks):
    mask = masks["gaps"]
    layer = make_causal_layer(return_sequences=True)
    outputs = layer(sequences, mask=tf.constant(mask)).numpy()
    before = np.concatenate([np.zeros((4, 1, 3)), outputs[:, :-1]], axis=1)
    np.testing.assert_array_equal(outputs[~mask], before[~mask])
    zeros = make_causal_layer(return_sequences=True, zero_output_for_mask=True)
    zeros.build(sequences.shape)
    zeros.set_weights(layer.get_weights())
    np.testing.assert_array_equal(
        zeros(sequences, mask=tf.constant(mask)), np.where(mask[..., None], outputs, 0.0)
    )


def test_unrolled_equals_looped_inside_a_graph(make_causal_layer, sequences, masks):
    mask = tf.constant(masks["mixed"])
    layer = make_causal_layer(return_sequences=True, return_state=True)
    results = layer(sequences, mask=mask)
    unrolled = make_causal_layer(return_sequences=True, return_state=True, unroll=True)
    unrolled.build(sequences.shape)
    unrolled.set_weights(layer.get_weights())
    run = tf.function(lambda x: unrolled(x, mask=mask))
    for one, other in zip(run(sequences), results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    operations = {
        node.op for node in run.get_concrete_function(sequences).graph.as_graph_def().node
    }
    assert not operations & {"While", "StatelessWhile"}


def test_a_static_length_stays_static_in_a_graph(make_causal_layer):
    """Layers behind it may need it: a second one that unrolls, a reshape, a convolution."""
    layer = make_causal_layer(return_sequences=True)
    layer.build((4, 6, 2))
    shapes = []
    tf.function(lambda x: shapes.append(layer(x).shape)).get_concrete_function(
        tf.TensorSpec([None, 6, 2])
    )
    assert shapes[0].as_list() == [None, 6, 3]


def test_unrolling_an_unknown_length_is_refused(make_causal_layer):
    layer = make_causal_layer(unroll=True)
    layer.build((None, None, 2))
    run = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 2])])
    with pytest.raises(ValueError, match="Cannot unroll"):
        run.get_concrete_function()


def test_one_state_may_be_given_without_a_list(sequences):
    layer = GRU(3)
    state = np.ones((4, 3), "float32")
    np.testing.assert_array_equal(
        layer(sequences, initial_state=state), layer(sequences, initial_state=[state])
    )


def test_an_empty_list_of_states_is_refused(make_causal_layer, sequences):
    with pytest.raises(ValueError, match="initial states, got 0"):
        make_causal_layer()(sequences, initial_state=[])


def test_step_builds_a_new_layer():
    layer = PeepholeLSTM(3)
    output, state = layer.step(np.ones((2, 4), "float32"), layer.get_initial_state(2))
    assert output.shape == (2, 3)
    assert len(state) == 2
    assert layer(np.ones((2, 5, 4), "float32")).shape == (2, 3)


def test_step_has_no_dropout():
    layer = PeepholeLSTM(3, dropout=0.5, recurrent_dropout=0.5)
    x, state = np.ones((2, 4), "float32"), layer.get_initial_state(2)
    np.testing.assert_array_equal(layer.step(x, state)[0], layer.step(x, state)[0])


@pytest.mark.parametrize("layer_class", [PeepholeLSTM, GRU])
def test_gradient_of_a_gradient_is_exact(layer_class):
    """The hand-written backward pass is itself made of differentiable operations."""
    layer = layer_class(2, dtype="float64")
    layer.build((1, 3, 2))

    def penalty(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = tf.reduce_sum(tf.sin(layer(x)))
        return tf.reduce_sum(tape.gradient(output, x) ** 2)

    x = np.random.default_rng(0).normal(size=(1, 3, 2))
    with tf.GradientTape() as tape:
        start = tf.constant(x)
        tape.watch(start)
        value = penalty(start)
    gradient = tape.gradient(value, start).numpy()
    direction = np.random.default_rng(1).normal(size=x.shape)
    moved = [penalty(tf.constant(x + sign * 1e-5 * direction)).numpy() for sign in (1, -1)]
    slope = (moved[0] - moved[1]) / 2e-5
    assert slope == pytest.approx(np.sum(gradient * direction), rel=1e-5)


@pytest.fixture
def model():
    """Layers as they are, in layers, in wrappers and in a model within the model."""
    inner_inputs = keras.Input((None, 3))
    inner = keras.Model(inner_inputs, PeepholeLSTM(3, return_sequences=True)(inner_inputs))
    inputs = keras.Input((None, 2))
    x = PeepholeLSTM(3, return_sequences=True, implementation="graph")(inputs)
    x = StackedLSTM(3, depth=2, return_sequences=True)(inner(x))
    x = keras.layers.Bidirectional(PeepholeLSTM(3, return_sequences=True))(x)
    return keras.Model(inputs, BiLSTM(3)(x))


X = np.random.default_rng(0).normal(size=(2, 9, 2)).astype("float32")


def test_every_layer_computes_by_what_is_said_and_by_its_own_afterwards(model, monkeypatch):
    expected = model(X).numpy()

    def never(*_):
        raise AssertionError("another implementation ran")

    with monkeypatch.context() as patched, computed_by("portable", model):
        patched.setattr(lstm_block, "run", never)
        patched.setattr(lstm_graph, "run", never)
        found = model(X).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    first, inner = model.layers[1], model.layers[2].layers[1]
    assert (first.implementation, inner.implementation) == ("graph", "auto")
    model(X)
    assert (first.implementation_used, inner.implementation_used) == ("graph", "block")


def test_an_error_inside_leaves_nothing_behind(model):
    with pytest.raises(KeyError), computed_by("portable", model):
        raise KeyError
    assert model.layers[1].implementation == "graph"


def test_an_unknown_implementation_is_refused_and_changes_nothing(model):
    with pytest.raises(ValueError, match="'a'"), computed_by("a", model):
        pass
    assert model.layers[1].implementation == "graph"
