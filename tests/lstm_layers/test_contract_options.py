"""Options of every layer: what they refuse, how they survive, and what dropout does."""

import keras
import numpy as np
import pytest

OPTIONS = {
    "activation": "softsign",
    "recurrent_activation": "hard_sigmoid",
    "use_bias": False,
    "dropout": 0.1,
    "recurrent_dropout": 0.2,
    "weight_dropout": 0.3,
    "seed": 7,
    "return_sequences": True,
    "return_state": True,
    "stateful": True,
    "unroll": True,
    "kernel_initializer": keras.initializers.RandomUniform(-0.1, 0.1, seed=3),
    "recurrent_initializer": "glorot_normal",
    "bias_initializer": "ones",
    "kernel_regularizer": keras.regularizers.L2(0.5),
    "recurrent_regularizer": "l1",
    "bias_regularizer": keras.regularizers.L1(0.25),
    "kernel_constraint": keras.constraints.MaxNorm(2.0),
    "recurrent_constraint": "non_neg",
    "bias_constraint": keras.constraints.UnitNorm(),
    "name": "own_name",
    "trainable": False,
    "dtype": "mixed_bfloat16",
}


def _copy(layer):
    return keras.layers.deserialize(keras.layers.serialize(layer))


def _known(make_layer, options):
    """The options that this layer takes: one without gates has no activation for them."""
    known = make_layer().get_config()
    return {name: options[name] for name in options if name in known}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_survives_its_configuration(make_layer, option):
    if option not in _known(make_layer, OPTIONS):
        with pytest.raises(ValueError, match=option):
            make_layer(**{option: OPTIONS[option]})
        return
    layer = make_layer(**{option: OPTIONS[option]})
    config = layer.get_config()
    assert _copy(layer).get_config() == config
    assert type(layer).from_config(config).get_config() == config
    assert config != {**make_layer().get_config(), "name": layer.name} or option == "name"
    assert layer.name == "own_name" or option != "name"


def test_all_options_together_survive_their_configuration(make_layer, sequences):
    layer = make_layer(**_known(make_layer, OPTIONS))
    copy = _copy(layer)
    assert copy.get_config() == layer.get_config()
    copy(sequences)
    assert not copy.trainable_variables


def test_activations_given_as_functions_survive(make_layer):
    given = {"activation": keras.activations.relu, "recurrent_activation": None}
    config = _copy(make_layer(**_known(make_layer, given))).get_config()
    assert config["activation"] == "relu"
    assert config.get("recurrent_activation", "linear") == "linear"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("dropout", -0.1),
        ("dropout", 1.0),
        ("recurrent_dropout", 1.5),
        ("weight_dropout", 1.0),
        ("activation", "gelu"),
        ("recurrent_activation", keras.activations.softmax),
    ],
)
def test_values_out_of_range_are_refused_by_name(make_layer, option, value):
    with pytest.raises(ValueError, match=option.removeprefix("recurrent_").split("_")[0]):
        make_layer(**{option: value})


def test_an_unknown_option_is_refused(make_layer):
    with pytest.raises((TypeError, ValueError), match="no_such_option"):
        make_layer(no_such_option=1)


def _with_weights_of(make, layer, **options):
    other = make(return_sequences=True, **options)
    other.build((4, 6, 2))
    other.set_weights(layer.get_weights())
    return other


RATES = ["dropout", "recurrent_dropout", "weight_dropout"]


@pytest.mark.parametrize("rate", RATES)
def test_dropout_acts_in_training_and_nowhere_else(make_layer, sequences, rate):
    layer = make_layer(return_sequences=True)
    expected = layer(sequences)
    other = _with_weights_of(make_layer, layer, **{rate: 0.5})
    np.testing.assert_array_equal(other(sequences), expected)
    np.testing.assert_array_equal(other(sequences, training=False), expected)
    trained = other(sequences, training=True)
    assert np.abs(trained - expected).max() > 1e-3
    assert np.abs(other(sequences, training=True) - trained).max() > 1e-3, "a new mask each call"


@pytest.mark.parametrize("rate", RATES)
def test_a_seed_makes_dropout_reproducible(make_layer, sequences, rate):
    layer = make_layer(return_sequences=True)
    layer.build((4, 6, 2))
    one, same, other = (
        _with_weights_of(make_layer, layer, seed=seed, **{rate: 0.5})(sequences, training=True)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3


def test_input_dropout_is_one_mask_for_all_steps(make_causal_layer, sequences):
    layer = make_causal_layer(return_sequences=True)
    layer.build((4, 6, 2))
    other = _with_weights_of(make_causal_layer, layer, dropout=0.5, seed=7)
    mask = keras.random.dropout(np.ones((4, 2), "float32"), 0.5, seed=keras.random.SeedGenerator(7))
    expected = layer(sequences * np.asarray(mask)[:, None])
    np.testing.assert_allclose(other(sequences, training=True), expected, rtol=1e-5, atol=1e-6)


def test_recurrent_dropout_is_one_mask_for_all_steps(make_single_layer, sequences):
    """To drop entries of h for good is to drop rows of the recurrent kernel, for one row alone."""
    layer = make_single_layer(return_sequences=True, recurrent_dropout=0.5, seed=7)
    layer.build((4, 6, 2))
    mask = keras.random.dropout(np.ones((4, 3), "float32"), 0.5, seed=keras.random.SeedGenerator(7))
    assert 0 < np.count_nonzero(mask) < 12
    outputs = layer(sequences, training=True)
    kernel, recurrent_kernel, *others = layer.get_weights()
    for row in range(4):
        layer.set_weights([kernel, recurrent_kernel * np.asarray(mask)[row][:, None], *others])
        expected = layer(sequences[row : row + 1])
        np.testing.assert_allclose(outputs[row : row + 1], expected, rtol=1e-5, atol=1e-6)


def test_weight_dropout_is_one_mask_for_all_rows_and_steps(make_single_layer, sequences):
    layer = make_single_layer(return_sequences=True, weight_dropout=0.5, seed=7)
    layer.build((4, 6, 2))
    weights = layer.get_weights()
    outputs = layer(sequences, training=True)
    dropped = keras.random.dropout(weights[1], 0.5, seed=keras.random.SeedGenerator(7))
    assert 0 < np.count_nonzero(dropped) < dropped.shape[0] * dropped.shape[1]
    weights[1] = np.asarray(dropped)
    layer.set_weights(weights)
    np.testing.assert_allclose(outputs, layer(sequences), rtol=1e-5, atol=1e-6)
