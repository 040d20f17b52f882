"""Every variant against the same equations in NumPy: values, states, and all gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GREFF_VARIANTS, PeepholeLSTM, VariantLSTM
from tests.lstm_layers import lstm_in_numpy

BATCH, TIME, FEATURES, UNITS = 2, 4, 2, 3
VARIANTS = {
    **GREFF_VARIANTS,
    "1997": {"gates": "io"},
    "no gate": {"gates": ""},
    "coupled": {"coupled_gates": True},
    "full gate recurrence of two gates": {"gates": "fo", "full_gate_recurrence": True},
    "projection": {"projection_units": 2, "peepholes": "ifo"},
    "layer normalization": {"layer_normalization": True},
    "zoneout": {"zoneout_c": 0.3, "zoneout_h": 0.2},
    "cell clip": {"cell_clip": 0.4, "peepholes": "o"},
    "activations": {
        "activation": "softsign",
        "input_activation": "sigmoid",
        "output_activation": "tanh",
    },
    "all": {
        "coupled_gates": True,
        "peepholes": "io",
        "full_gate_recurrence": True,
        "projection_units": 4,
        "layer_normalization": True,
        "zoneout_c": 0.1,
        "zoneout_h": 0.2,
        "cell_clip": 0.9,
        "output_activation": "softsign",
    },
}
MASK = np.array([[1, 0, 1, 1], [0, 1, 1, 0]], bool)


def _layer(options, **more):
    layer = VariantLSTM(
        UNITS, return_sequences=True, return_state=True, dtype="float64", **options, **more
    )
    layer.build((BATCH, TIME, FEATURES))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=weight.shape) * 0.7 for weight in layer.weights])
    return layer


def _arrays(layer):
    rng = np.random.default_rng(0)
    arrays = {"x": rng.normal(size=(BATCH, TIME, FEATURES))}
    for position, size in enumerate(layer.state_size):
        arrays[f"state_{position}"] = rng.normal(size=(BATCH, size)) * 0.5
    weights = zip(layer.weights, layer.get_weights(), strict=True)
    return arrays | {weight.name: value for weight, value in weights}


def _in_numpy(options, arrays, **more):
    states = [value for name, value in arrays.items() if name.startswith("state_")]
    return lstm_in_numpy.run(arrays, options, arrays["x"], states, **more)


def _states(layer, arrays):
    return [tf.constant(arrays[f"state_{n}"]) for n in range(len(layer.state_size))]


def _loss(outputs, states):
    """Weighs every output and state on its own; of NumPy arrays as of tensors."""
    total = 0.0
    for value in (outputs, *states):
        weights = np.cos(np.arange(np.prod(value.shape))).reshape(value.shape)
        total = total + keras.ops.sum(keras.ops.convert_to_tensor(value) * weights)
    return total


def _gradients(layer, arrays):
    x, states = tf.constant(arrays["x"]), _states(layer, arrays)
    weights = [weight.value for weight in layer.weights]
    with tf.GradientTape() as tape:
        tape.watch([x, *states])
        outputs, *last = layer(x, initial_state=states)
        loss = _loss(outputs, last)
    names = ["x", *(f"state_{n}" for n in range(len(states))), *(w.name for w in layer.weights)]
    found = tape.gradient(loss, [x, *states, *weights])
    assert all(gradient is not None for gradient in found)
    return dict(zip(names, (gradient.numpy() for gradient in found), strict=True))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_and_states_are_those_of_the_equations(variant, masked):
    options = VARIANTS[variant]
    layer = _layer(options)
    arrays = _arrays(layer)
    mask = MASK if masked else None
    outputs, *last = layer(arrays["x"], initial_state=_states(layer, arrays), mask=mask)
    expected, expected_last, _ = _in_numpy(options, arrays, keep=mask)
    np.testing.assert_allclose(outputs, expected, rtol=1e-10, atol=1e-12)
    for one, other in zip(last, expected_last, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_are_the_slopes_for_every_weight_input_and_state(variant):
    options = VARIANTS[variant]
    layer = _layer(options)
    arrays = _arrays(layer)

    def loss(moved):
        outputs, last, _ = _in_numpy(options, moved)
        return sum(
            np.sum(value * np.cos(np.arange(value.size)).reshape(value.shape))
            for value in (outputs, *last)
        )

    expected = lstm_in_numpy.slopes(loss, arrays)
    for name, gradient in _gradients(layer, arrays).items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-5, atol=1e-7, err_msg=name)
        assert np.abs(gradient).max() > 1e-3, f"{name} has no influence: no test"


@pytest.mark.parametrize("variant", ["V", "NFG", "CIFG", "FGR"])
def test_a_truncated_peephole_gradient_takes_what_peepholes_see_for_constant(variant):
    options = VARIANTS[variant]
    layer = _layer(options, truncated_peepholes=True)
    arrays = _arrays(layer)
    *_, cells = _in_numpy(options, arrays)

    def loss(moved):
        outputs, last, _ = _in_numpy(options, moved, seen_by_peepholes=cells)
        return sum(
            np.sum(value * np.cos(np.arange(value.size)).reshape(value.shape))
            for value in (outputs, *last)
        )

    expected = lstm_in_numpy.slopes(loss, arrays)
    truncated, full = _gradients(layer, arrays), _gradients(_layer(options), arrays)
    for name in arrays:
        np.testing.assert_allclose(truncated[name], expected[name], rtol=1e-5, atol=1e-7)
    assert np.abs(truncated["x"] - full["x"]).max() > 1e-3
    assert np.abs(truncated["recurrent_kernel"] - full["recurrent_kernel"]).max() > 1e-3


def test_a_truncated_gradient_does_not_change_what_comes_out():
    options = GREFF_VARIANTS["V"]
    x = _arrays(_layer(options))["x"]
    truncated = _layer(options, truncated_peepholes=True)
    np.testing.assert_array_equal(truncated(x)[0], _layer(options)(x)[0])


@pytest.mark.parametrize("peepholes", ["", "f", "ifo"])
@pytest.mark.parametrize("masked", [False, True])
def test_where_the_options_coincide_it_is_the_layer_with_the_hand_derived_gradient(
    peepholes, masked
):
    variant = _layer({"peepholes": peepholes})
    derived = PeepholeLSTM(
        UNITS, peepholes, return_sequences=True, return_state=True, dtype="float64"
    )
    derived.build((BATCH, TIME, FEATURES))
    assert [w.shape for w in derived.weights] == [w.shape for w in variant.weights]
    derived.set_weights(variant.get_weights())
    arrays = _arrays(variant)
    mask = MASK if masked else None
    states = _states(variant, arrays)
    for one, other in zip(
        variant(arrays["x"], initial_state=states, mask=mask),
        derived(arrays["x"], initial_state=states, mask=mask),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    for name, gradient in _gradients(derived, arrays).items():
        np.testing.assert_allclose(_gradients(variant, arrays)[name], gradient, rtol=1e-9)
