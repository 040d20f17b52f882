import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers.recurrences import activations


@pytest.mark.parametrize("name", activations.ACTIVATIONS)
def test_function_is_the_one_keras_has_under_that_name(name):
    z = np.linspace(-5.0, 5.0, 41)
    np.testing.assert_allclose(
        activations.ACTIVATIONS[name].function(tf.constant(z)), keras.activations.get(name)(z)
    )


@pytest.mark.parametrize("name", activations.ACTIVATIONS)
def test_derivative_in_terms_of_the_value_is_the_slope(name):
    function, derivative = activations.ACTIVATIONS[name]
    z = np.linspace(-4.95, 4.95, 34)  # off the kinks at 0 and ±3
    slope = (function(tf.constant(z + 1e-6)) - function(tf.constant(z - 1e-6))) / 2e-6
    np.testing.assert_allclose(derivative(function(tf.constant(z))), slope, atol=1e-8)


@pytest.mark.parametrize(
    ("given", "name"),
    [("tanh", "tanh"), (keras.activations.sigmoid, "sigmoid"), (None, "linear"), (tf.tanh, "tanh")],
)
def test_what_keras_accepts_is_accepted(given, name):
    assert activations.name_of(given) == name


@pytest.mark.parametrize("given", ["gelu", keras.activations.softmax, lambda z: z, 3])
def test_an_activation_without_known_derivative_is_refused_with_the_choices(given):
    with pytest.raises(ValueError, match=r"hard_sigmoid.*tanh"):
        activations.name_of(given)
