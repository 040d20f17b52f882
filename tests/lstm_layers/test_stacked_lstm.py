import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, PeepholeLSTM, SimpleRNN, StackedLSTM, VariantLSTM
from lstm_layers.layer_kinds import KINDS

EVERY = {"return_sequences": True, "return_state": True}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("residual", [False, True])
def test_it_is_the_layers_one_after_another(kind, residual, sequences, masks):
    stack = StackedLSTM(3, depth=3, cell=kind, residual=residual, **EVERY)
    mask = tf.constant(masks["gaps"])
    outputs, *states = stack(sequences, mask=mask)
    expected, expected_states = sequences, []
    weights = stack.get_weights()
    for level in range(3):
        layer = type(stack.recurrent_layers[0])(
            **{**stack.recurrent_layers[level].get_config(), "return_sequences": True}
        )
        layer.build((4, 6, expected.shape[-1]))
        layer.set_weights(weights[: len(layer.weights)])
        weights = weights[len(layer.weights) :]
        above, *last = layer(expected, mask=mask)
        expected = above + expected if residual and level else above
        expected_states += last
    assert not weights
    assert len(states) == len(stack.state_size)
    for one, other in zip([outputs, *states], [expected, *expected_states], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "layer_class", "states"),
    [
        ("peephole_lstm", PeepholeLSTM, 4),
        ("lstm", PeepholeLSTM, 4),
        ("gru", GRU, 2),
        ("rnn", SimpleRNN, 2),
        ("variant_lstm", VariantLSTM, 4),
        ("FGR", VariantLSTM, 10),
    ],
)
def test_a_kind_is_a_layer_and_its_states_come_lowest_layer_first(
    kind, layer_class, states, sequences
):
    stack = StackedLSTM(3, cell=kind, return_state=True)
    _, *last = stack(sequences)
    assert all(type(layer) is layer_class for layer in stack.recurrent_layers)
    assert len(last) == len(stack.get_initial_state(4)) == states
    lowest = stack.recurrent_layers[0](sequences)[1:]
    for one, other in zip(last, lowest, strict=False):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_survives_its_configuration(kind):
    options = {} if kind == "rnn" else {"recurrent_activation": "hard_sigmoid"}
    stack = StackedLSTM(
        3, depth=3, cell=kind, residual=True, dropout=0.1, dropout_between=0.2, seed=5, **options
    )
    copy = keras.layers.deserialize(keras.layers.serialize(stack))
    assert copy.get_config() == stack.get_config()
    assert [layer.get_config() for layer in copy.recurrent_layers] == [
        layer.get_config() for layer in stack.recurrent_layers
    ]


def test_options_of_variants_reach_every_layer(sequences):
    stack = StackedLSTM(
        4, depth=2, cell="variant_lstm", projection_units=2, layer_normalization=True, **EVERY
    )
    outputs, *states = stack(sequences)
    assert outputs.shape == (4, 6, 2)
    assert [tuple(state.shape) for state in states] == [(4, 2), (4, 4)] * 2
    assert stack.compute_output_shape((4, 6, 2)) == (
        (4, 6, 2),
        *[(4, 2), (4, 4), (4, 2), (4, 4)],
    )


def test_dropout_between_is_on_the_inputs_of_all_layers_but_the_lowest(sequences):
    stack = StackedLSTM(3, depth=3, dropout=0.1, dropout_between=0.4, seed=1)
    assert [layer.cell.dropout for layer in stack.recurrent_layers] == [0.1, 0.4, 0.4]
    stack = StackedLSTM(3, dropout_between=0.5, seed=1, return_state=True)
    quiet, trained = stack(sequences), stack(sequences, training=True)
    np.testing.assert_array_equal(trained[1], quiet[1], err_msg="the lowest layer has no dropout")
    assert np.abs(trained[0] - quiet[0]).max() > 1e-3


def test_a_seed_makes_the_layers_draw_different_masks(sequences):
    stack = StackedLSTM(3, depth=2, dropout=0.5, dropout_between=0.5, seed=3)
    assert [layer.cell.seed for layer in stack.recurrent_layers] == [3, 4]


def test_weights_have_paths_of_their_own(sequences):
    stack = StackedLSTM(3, depth=3)
    stack(sequences)
    paths = [weight.path for weight in stack.weights]
    assert len(set(paths)) == len(paths) == 18


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "lstm1997"}, "cell must be one of peephole_lstm"),
        ({"cell": "lstm", "peepholes": "f"}, "'lstm' stands for peepholes=''"),
        ({"cell": "NIG", "gates": "ifo"}, "'NIG' stands for gates='fo'"),
        ({"depth": 0}, "depth must be positive"),
        ({"dropout_between": 1.0}, "dropout_between must be in"),
        ({"cell": "rnn", "recurrent_activation": "tanh"}, "no gates"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        StackedLSTM(3, **options)
