import keras

from lstm_layers import PeepholeLSTMCell, keras_private


def test_keras_still_hides_the_dropout_mix_in():
    """Fails on the day the private import of `keras_private.py` can be replaced."""
    public = [
        f"{module.__name__}.DropoutRNNCell"
        for module in (keras, keras.layers, keras.utils)
        if hasattr(module, "DropoutRNNCell")
    ]
    assert not public, f"import {public[0]} instead, and delete lstm_layers/keras_private.py"


def test_the_mix_in_is_the_one_that_keras_looks_for():
    # keras.layers.RNN recognises cells with dropout by this base class and by nothing else.
    assert keras_private.DropoutRNNCell in keras.layers.LSTMCell.__mro__
    assert keras_private.DropoutRNNCell in PeepholeLSTMCell.__mro__


def test_layers_within_a_layer_are_found_in_any_depth():
    inner = keras.layers.Dense(1, name="inner")
    model = keras.Sequential([keras.layers.TimeDistributed(keras.Sequential([inner]))])
    assert inner in list(keras_private.layers_within(model))
    public = [name for name in ("flatten_layers", "layers") if hasattr(keras.layers.Layer, name)]
    assert not public, f"use keras.layers.Layer.{public[0]} in keras_private.layers_within"


def test_the_mix_in_keeps_a_mask_until_it_is_told_to_forget_it():
    cell = PeepholeLSTMCell(2, dropout=0.5, seed=0)
    ones = keras.ops.ones((1, 64))
    first = keras.ops.convert_to_numpy(cell.get_dropout_mask(ones))
    assert (keras.ops.convert_to_numpy(cell.get_dropout_mask(ones)) == first).all()
    cell.reset_dropout_mask()
    assert (keras.ops.convert_to_numpy(cell.get_dropout_mask(ones)) != first).any()
