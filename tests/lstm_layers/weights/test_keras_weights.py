"""Both ways between these layers and those of Keras, which run beside them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, BiLSTM, PeepholeLSTM
from lstm_layers.weights import keras_weights

UNITS = 3
ALL_OUT = {"return_sequences": True, "return_state": True}


def _bidirectional(layer, **options):
    # At masked steps Keras's backward outputs are aligned with the forward ones only so.
    return keras.layers.Bidirectional(layer(UNITS, zero_output_for_mask=True, **options))


THEIRS = {
    "lstm": lambda **options: keras.layers.LSTM(UNITS, **options),
    "gru": lambda **options: keras.layers.GRU(UNITS, **options),
    "gru_reset_before": lambda **options: keras.layers.GRU(UNITS, reset_after=False, **options),
    "bilstm": lambda **options: _bidirectional(keras.layers.LSTM, **options),
    "bigru": lambda **options: _bidirectional(keras.layers.GRU, **options),
    "bigru_reset_before": lambda **options: _bidirectional(
        keras.layers.GRU, reset_after=False, **options
    ),
}
OURS = {
    "lstm": lambda **options: PeepholeLSTM(UNITS, peepholes="", **options),
    "gru": lambda **options: GRU(UNITS, **options),
    "gru_reset_before": lambda **options: GRU(UNITS, reset_after=False, **options),
    "bilstm": lambda **options: BiLSTM(UNITS, "lstm", **options),
    "bigru": lambda **options: BiLSTM(UNITS, "gru", **options),
    "bigru_reset_before": lambda **options: BiLSTM(UNITS, "gru", reset_after=False, **options),
}
by_name = pytest.mark.parametrize("name", THEIRS)
use_bias = pytest.mark.parametrize("use_bias", [True, False])


def _random(layer, batch=None):
    layer.build((batch, None, 2))
    rng = np.random.default_rng(3)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


def _assert_same_results(one, other, sequences, mask=None):
    rng = np.random.default_rng(4)
    states = other(sequences)[1:]
    initial = [tf.constant(rng.normal(size=state.shape), "float32") for state in states]
    for options in ({}, {"initial_state": initial}):
        results = [layer(sequences, mask=mask, **options) for layer in (one, other)]
        for ours, theirs in zip(*results, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@use_bias
@by_name
def test_from_keras_gives_the_same_results(name, use_bias, sequences, masks):
    theirs = _random(THEIRS[name](use_bias=use_bias, **ALL_OUT))
    ours = keras_weights.from_keras(theirs)
    _assert_same_results(ours, theirs, sequences)
    _assert_same_results(ours, theirs, sequences, tf.constant(masks["right"]))


@use_bias
@by_name
def test_to_keras_gives_the_same_results(name, use_bias, sequences, masks):
    ours = _random(OURS[name](use_bias=use_bias, **ALL_OUT))
    theirs = keras_weights.to_keras(ours)
    assert type(theirs).__module__.startswith("keras.")
    _assert_same_results(ours, theirs, sequences)
    _assert_same_results(ours, theirs, sequences, tf.constant(masks["right"]))


@use_bias
@by_name
def test_there_and_back_is_exact(name, use_bias):
    ours = _random(OURS[name](use_bias=use_bias))
    back = keras_weights.from_keras(keras_weights.to_keras(ours))
    for one, other in zip(back.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@by_name
def test_options_come_along(name, sequences):
    options = {
        "activation": "relu",
        "recurrent_activation": "hard_sigmoid",
        "dropout": 0.2,
        "recurrent_dropout": 0.1,
        "kernel_regularizer": keras.regularizers.L2(0.01),
    }
    theirs = _random(THEIRS[name](**options))
    ours = keras_weights.from_keras(theirs)
    np.testing.assert_allclose(ours(sequences), theirs(sequences), rtol=1e-5, atol=1e-6)
    half = ours.forward_layer if name.startswith("bi") else ours
    assert (half.cell.dropout, half.cell.recurrent_dropout) == (0.2, 0.1)
    assert half.get_config()["kernel_regularizer"]["config"]["l2"] == pytest.approx(0.01)
    again = keras_weights.to_keras(ours)
    np.testing.assert_allclose(again(sequences), theirs(sequences), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_layer_that_reads_from_the_end_still_does(name, sequences):
    theirs = _random(THEIRS[name](go_backwards=True, return_sequences=True))
    ours = keras_weights.from_keras(theirs)
    np.testing.assert_allclose(ours(sequences), theirs(sequences), rtol=1e-5, atol=1e-6)
    again = keras_weights.to_keras(ours)
    np.testing.assert_allclose(again(sequences), theirs(sequences), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
def test_directions_are_merged_alike(merge_mode, sequences):
    theirs = _random(keras.layers.Bidirectional(keras.layers.LSTM(UNITS), merge_mode=merge_mode))
    ours = keras_weights.from_keras(theirs)
    again = keras_weights.to_keras(ours)
    for layer in (ours, again):
        for one, other in zip(
            keras.tree.flatten(layer(sequences)), keras.tree.flatten(theirs(sequences)), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["lstm", "gru", "bilstm"])
def test_a_stateful_layer_goes_on_from_call_to_call(name, sequences):
    theirs = _random(THEIRS[name](stateful=True), batch=4)
    ours = keras_weights.from_keras(theirs)
    again = keras_weights.to_keras(ours)
    results = [[layer(sequences), layer(sequences)] for layer in (theirs, ours, again)]
    assert np.abs(results[0][0] - results[0][1]).max() > 1e-3
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(results[2], results[0], rtol=1e-5, atol=1e-6)


def test_peepholes_can_be_added_and_then_have_no_way_back(sequences):
    theirs = _random(keras.layers.LSTM(UNITS))
    ours = keras_weights.from_keras(theirs, peepholes="ifo")
    np.testing.assert_allclose(ours(sequences), theirs(sequences), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(
        keras_weights.to_keras(ours).get_weights()[0], theirs.get_weights()[0]
    )
    ours.cell.forget_peephole.assign([0.0, 0.1, 0.0])
    with pytest.raises(ValueError, match=r"keras\.layers\.LSTM has no peepholes"):
        keras_weights.to_keras(ours)


def test_two_directions_that_differ_are_refused():
    layer = keras.layers.Bidirectional(
        keras.layers.LSTM(UNITS),
        backward_layer=keras.layers.LSTM(UNITS, activation="relu", go_backwards=True),
    )
    with pytest.raises(ValueError, match="these directions differ in activation"):
        keras_weights.from_keras(_random(layer))


@pytest.mark.parametrize(
    ("layer", "error", "words"),
    [
        (keras.layers.LSTM(2, name="new"), ValueError, "new has no weights yet"),
        (keras.layers.SimpleRNN(2), TypeError, "LSTM or GRU, got SimpleRNN"),
        (keras.layers.Bidirectional(keras.layers.SimpleRNN(2)), TypeError, "got SimpleRNN"),
    ],
)
def test_what_cannot_be_taken_over_is_refused(layer, error, words):
    with pytest.raises(error, match=words):
        keras_weights.from_keras(layer)


def test_an_activation_without_a_counterpart_is_refused():
    with pytest.raises(ValueError, match="'gelu' is not supported"):
        keras_weights.from_keras(_random(keras.layers.GRU(2, activation="gelu")))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ([np.zeros((2, 12))], "perhaps a bias, got 1"),
        ([np.zeros((2, 9)), np.zeros((3, 9))], "do not have 4 gates"),
    ],
)
def test_arrays_of_another_layer_are_refused(arrays, words):
    with pytest.raises(ValueError, match=words):
        keras_weights.lstm_from_keras(arrays)


def test_a_bias_that_belongs_to_the_other_gru_is_refused():
    arrays = _random(keras.layers.GRU(UNITS)).get_weights()
    with pytest.raises(ValueError, match=r"\(2, 9\) does not go with reset_after=False"):
        keras_weights.gru_from_keras(arrays, reset_after=False)
