import keras
import numpy as np
import pytest

from lstm_layers import GRUCell, PeepholeLSTMCell, recurrent_cell

CELLS = {
    "peephole_lstm": lambda **options: PeepholeLSTMCell(
        3, peephole_initializer="random_normal", **options
    ),
    "gru": lambda **options: GRUCell(3, **options),
    "gru_reset_before": lambda **options: GRUCell(3, reset_after=False, **options),
}


@pytest.fixture(params=CELLS)
def make_cell(request):
    return CELLS[request.param]


def _assert_equal(one, other, **tolerances):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, **{"rtol": 1e-5, "atol": 1e-6, **tolerances})


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("unroll", [False, True])
def test_keras_rnn_over_the_cell_is_the_layer(
    make_single_layer, sequences, masks, training, unroll
):
    """Keras's own loop, with its own handling of masks and of dropout masks."""
    options = {"return_sequences": True, "return_state": True, "unroll": unroll}
    layer = make_single_layer(**options, dropout=0.3, recurrent_dropout=0.4, seed=5)
    results = layer(sequences, training=training, mask=masks["right"])
    copy = type(layer.cell).from_config(layer.cell.get_config())
    reference = keras.layers.RNN(copy, **options)
    reference.build(sequences.shape)
    reference.set_weights(layer.get_weights())
    _assert_equal(reference(sequences, training=training, mask=masks["right"]), results)


def test_stacked_cells_are_stacked_layers(make_single_layer, sequences):
    layers = [make_single_layer(return_sequences=True, return_state=True) for _ in range(2)]
    first, *first_states = layers[0](sequences)
    second, *second_states = layers[1](first)
    cells = [type(layer.cell).from_config(layer.cell.get_config()) for layer in layers]
    stack = keras.layers.RNN(
        keras.layers.StackedRNNCells(cells), return_sequences=True, return_state=True
    )
    stack.build(sequences.shape)
    stack.set_weights([*layers[0].get_weights(), *layers[1].get_weights()])
    outputs, *states = stack(sequences)
    _assert_equal([outputs], [second])
    _assert_equal(keras.tree.flatten(states), [*first_states, *second_states])


def test_configuration_survives(make_cell):
    cell = make_cell(dropout=0.1, activation="relu", kernel_regularizer="l2", seed=3)
    copy = keras.layers.deserialize(keras.layers.serialize(cell))
    assert type(copy) is type(cell)
    assert copy.get_config() == cell.get_config()


@pytest.mark.parametrize("units", [0, -1])
def test_a_size_that_is_none_is_refused(units):
    for cell_class in (PeepholeLSTMCell, GRUCell):
        with pytest.raises(ValueError, match=f"units.*{units}"):
            cell_class(units)


def test_initial_state_is_zero_and_has_the_cells_sizes(make_cell):
    cell = make_cell()
    states = cell.get_initial_state(5)
    assert [tuple(state.shape) for state in states] == [(5, size) for size in cell.state_size]
    assert not np.any(states)
    assert cell.output_size == 3


def test_dropout_of_a_single_cell_acts_in_training_only(make_cell):
    cell = make_cell(dropout=0.5, recurrent_dropout=0.5, seed=1)
    x, states = np.ones((8, 4), "float32"), [np.ones((8, 3), "float32")] * 2
    states = states[: len(cell.state_size)]
    quiet, _ = cell(x, states)
    np.testing.assert_array_equal(cell(x, states, training=False)[0], quiet)
    assert np.abs(cell(x, states, training=True)[0] - quiet).max() > 1e-3


def test_keras_still_hides_the_dropout_mix_in():
    """Fails on the day the private import of `recurrent_cell.py` can be replaced."""
    public = [
        f"{module.__name__}.DropoutRNNCell"
        for module in (keras, keras.layers, keras.utils)
        if hasattr(module, "DropoutRNNCell")
    ]
    assert not public, f"lstm_layers/recurrent_cell.py can import {public[0]} instead"


def test_the_mix_in_is_the_one_that_keras_looks_for():
    # keras.layers.RNN recognises cells with dropout by this base class and by nothing else.
    assert recurrent_cell.DropoutRNNCell in keras.layers.LSTMCell.__mro__
    assert recurrent_cell.DropoutRNNCell in PeepholeLSTMCell.__mro__


def test_layers_within_a_layer_are_found_in_any_depth():
    inner = keras.layers.Dense(1, name="inner")
    model = keras.Sequential([keras.layers.TimeDistributed(keras.Sequential([inner]))])
    assert inner in list(recurrent_cell.layers_within(model))
    public = [name for name in ("flatten_layers", "layers") if hasattr(keras.layers.Layer, name)]
    assert not public, f"use keras.layers.Layer.{public[0]} in recurrent_cell.layers_within"


def test_the_mix_in_keeps_a_mask_until_it_is_told_to_forget_it():
    cell = PeepholeLSTMCell(2, dropout=0.5, seed=0)
    ones = keras.ops.ones((1, 64))
    first = keras.ops.convert_to_numpy(cell.get_dropout_mask(ones))
    assert (keras.ops.convert_to_numpy(cell.get_dropout_mask(ones)) == first).all()
    cell.reset_dropout_mask()
    assert (keras.ops.convert_to_numpy(cell.get_dropout_mask(ones)) != first).any()
