import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, BiLSTM, PeepholeLSTM, SimpleRNN, VariantLSTM
from lstm_layers.layer_kinds import KINDS

kinds = pytest.mark.parametrize("kind", KINDS)


def _states(layer):
    """How many states a direction has."""
    return len(layer.forward_layer.state_size)


def _halves(layer):
    """Layers of one direction that share the weights: the backward one runs forward."""
    halves = []
    for half in (layer.forward_layer, layer.backward_layer):
        one = type(half).from_config({**half.get_config(), "go_backwards": False})
        one.build((None, None, 2))
        one.set_weights(half.get_weights())
        halves.append(one)
    return halves


@kinds
def test_states_are_those_of_the_forward_layer_then_those_of_the_backward_layer(kind, sequences):
    layer = BiLSTM(3, kind, return_sequences=True, return_state=True)
    outputs, *states = layer(sequences)
    forward, backward = _halves(layer)
    h_forward, *states_forward = forward(sequences)
    h_backward, *states_backward = backward(sequences[:, ::-1])
    assert len(states) == 2 * _states(layer)
    for state, expected in zip(states, [*states_forward, *states_backward], strict=True):
        np.testing.assert_allclose(state, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outputs[..., :3], h_forward, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outputs[..., 3:], h_backward[:, ::-1], rtol=1e-5, atol=1e-6)


@kinds
def test_the_last_backward_output_is_the_one_at_the_first_step(kind, sequences):
    layer = BiLSTM(3, kind, return_state=True)
    output, *states = layer(sequences)
    expected = np.concatenate([states[0], states[_states(layer)]], axis=1)
    np.testing.assert_array_equal(output, expected)


@kinds
def test_initial_states_are_taken_in_the_order_in_which_they_are_returned(kind, sequences):
    layer = BiLSTM(3, kind, return_state=True)
    rng = np.random.default_rng(1)
    given = [rng.normal(size=(4, 3)).astype("float32") for _ in range(2 * _states(layer))]
    # All steps masked: what is returned is what was given.
    _, *states = layer(sequences, initial_state=given, mask=tf.zeros((4, 6), tf.bool))
    for state, expected in zip(states, given, strict=True):
        np.testing.assert_array_equal(state, expected)


@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize(
    ("merge_mode", "join"),
    [
        ("concat", lambda one, other: np.concatenate([one, other], axis=-1)),
        ("sum", lambda one, other: one + other),
        ("mul", lambda one, other: one * other),
        ("ave", lambda one, other: (one + other) / 2.0),
    ],
)
def test_merge_modes_join_the_pair_that_none_returns(merge_mode, join, return_sequences, sequences):
    pair = BiLSTM(3, merge_mode=None, return_sequences=return_sequences)
    merged = BiLSTM(3, merge_mode=merge_mode, return_sequences=return_sequences)
    forward, backward = pair(sequences)
    merged.build(sequences.shape)
    merged.set_weights(pair.get_weights())
    expected = join(forward.numpy(), backward.numpy())
    np.testing.assert_allclose(merged(sequences), expected, rtol=1e-6)
    assert merged.compute_output_shape((4, 6, 2)) == expected.shape
    assert [tuple(shape) for shape in pair.compute_output_shape((4, 6, 2))] == [forward.shape] * 2


@pytest.mark.parametrize("merge_mode", ["concat", None])
def test_outputs_of_masked_steps_are_zero_and_carry_the_mask(merge_mode, sequences, masks):
    mask = masks["mixed"]
    layer = BiLSTM(3, merge_mode=merge_mode, return_sequences=True, return_state=True)
    results = layer(sequences, mask=tf.constant(mask))
    for outputs in results[:-4]:
        assert not outputs.numpy()[~mask].any()
        np.testing.assert_array_equal(outputs._keras_mask, mask)


@pytest.mark.parametrize("merge_mode", ["concat", None])
@pytest.mark.parametrize("return_state", [False, True])
def test_symbolic_shapes_are_those_of_the_results(merge_mode, return_state, sequences):
    layer = BiLSTM(3, merge_mode=merge_mode, return_sequences=True, return_state=return_state)
    inputs = keras.Input((None, 2))
    outputs = keras.tree.flatten(layer(inputs))
    results = keras.tree.flatten(keras.Model(inputs, outputs)(sequences))
    for output, result in zip(outputs, results, strict=True):
        assert output.shape[-1] == result.shape[-1]
        assert len(output.shape) == len(result.shape)


@kinds
def test_every_kind_survives_its_configuration(kind):
    options = {} if kind == "rnn" else {"recurrent_activation": "hard_sigmoid"}
    layer = BiLSTM(3, kind, merge_mode="sum", recurrent_dropout=0.1, seed=5, **options)
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert copy.get_config() == layer.get_config()
    for way in ("forward_layer", "backward_layer"):
        assert getattr(copy, way).get_config() == getattr(layer, way).get_config()


@kinds
@pytest.mark.parametrize("return_sequences", [False, True])
def test_the_shapes_that_every_kind_announces_are_those_of_its_results(
    kind, return_sequences, sequences
):
    layer = BiLSTM(3, kind, return_sequences=return_sequences, return_state=True)
    shapes = [tuple(result.shape) for result in layer(sequences)]
    assert [tuple(shape) for shape in layer.compute_output_shape((4, 6, 2))] == shapes


def test_outputs_of_a_projection_are_as_wide_as_it_is(sequences):
    layer = BiLSTM(4, "variant_lstm", projection_units=2, return_state=True)
    output, *states = layer(sequences)
    assert [tuple(state.shape) for state in states] == [(4, 2), (4, 4)] * 2
    assert output.shape == layer.compute_output_shape((4, 6, 2))[0] == (4, 4)


@pytest.mark.parametrize(
    ("kind", "layer_class", "states"),
    [
        ("peephole_lstm", PeepholeLSTM, 2),
        ("lstm", PeepholeLSTM, 2),
        ("gru", GRU, 1),
        ("rnn", SimpleRNN, 1),
        ("variant_lstm", VariantLSTM, 2),
        ("FGR", VariantLSTM, 5),
    ],
)
def test_a_kind_is_a_layer_in_both_directions(kind, layer_class, states):
    layer = BiLSTM(2, kind)
    assert type(layer.forward_layer) is type(layer.backward_layer) is layer_class
    assert _states(layer) == states


def test_options_reach_both_directions():
    assert BiLSTM(2, "lstm").forward_layer.cell.peepholes == ""
    assert BiLSTM(2, peepholes="io").backward_layer.cell.peepholes == "io"
    assert BiLSTM(2, "NIG").backward_layer.cell.variant.gates == "fo"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"cell": "lstm1997"}, "cell must be one of peephole_lstm.*'lstm1997'"),
        ({"merge_mode": "max"}, "merge_mode must be.*'max'"),
        ({"go_backwards": True}, "go_backwards is not an option"),
        ({"zero_output_for_mask": False}, "zero_output_for_mask is not an option"),
        ({"cell": "lstm", "peepholes": "i"}, "'lstm' stands for peepholes=''"),
        ({"cell": "rnn", "recurrent_activation": "tanh"}, "no gates"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        BiLSTM(2, **arguments)


def test_a_stream_is_refused_with_the_reason(sequences):
    with pytest.raises(ValueError, match="starts at the end"):
        BiLSTM(2).step(sequences[:, 0], [])


def test_stateful_directions_go_on_and_start_anew(sequences):
    layer = BiLSTM(3, stateful=True)
    first = layer(sequences)
    assert np.abs(layer(sequences) - first).max() > 1e-4
    layer.reset_state()
    np.testing.assert_array_equal(layer(sequences), first)


def test_the_two_directions_start_from_different_weights():
    layer = BiLSTM(3)
    layer.build((None, None, 2))
    assert (layer.forward_layer.weights[0].numpy() != layer.backward_layer.weights[0].numpy()).all()
