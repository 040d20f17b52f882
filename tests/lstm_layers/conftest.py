"""The layers under test, and the checks that several files share."""

import keras
import numpy as np
import pytest

from lstm_layers import GRU, BiLSTM, PeepholeLSTM, SimpleRNN, StackedLSTM, VariantLSTM

UNITS = 3
# Random biases and peepholes: with zeros, a gate wired wrongly would pass.
RANDOM = {"bias_initializer": keras.initializers.RandomNormal(stddev=0.5, seed=1)}
PEEPHOLES = {"peephole_initializer": keras.initializers.RandomNormal(stddev=1.0, seed=2)}

# All that can be had at once, so that each contract test meets every weight. Zoneout is left to its
# own tests: it never does the same twice.
ALL_OF_THE_VARIANTS = {
    "coupled_gates": True,
    "peepholes": "io",
    "truncated_peepholes": True,
    "full_gate_recurrence": True,
    "projection_units": UNITS,
    "layer_normalization": True,
    "cell_clip": 3.0,
    "shift_initializer": keras.initializers.RandomNormal(stddev=0.5, seed=3),
}

ONE_RECURRENCE = {
    "peephole_lstm": lambda **options: PeepholeLSTM(UNITS, **{**RANDOM, **PEEPHOLES, **options}),
    "gru": lambda **options: GRU(UNITS, **{**RANDOM, **options}),
    "gru_reset_before": lambda **options: GRU(UNITS, reset_after=False, **{**RANDOM, **options}),
    "variant_lstm": lambda **options: VariantLSTM(
        UNITS, **{**RANDOM, **PEEPHOLES, **ALL_OF_THE_VARIANTS, **options}
    ),
    "simple_rnn": lambda **options: SimpleRNN(UNITS, **{**RANDOM, **options}),
}
ONE_DIRECTION = {
    **ONE_RECURRENCE,
    "stacked_lstm": lambda **options: StackedLSTM(
        UNITS, residual=True, **{**RANDOM, **PEEPHOLES, **options}
    ),
}
TWO_DIRECTIONS = {
    "bilstm": lambda **options: BiLSTM(UNITS, **{**RANDOM, **PEEPHOLES, **options}),
    "bigru": lambda **options: BiLSTM(UNITS, cell="gru", **{**RANDOM, **options}),
    "bivariant": lambda **options: BiLSTM(
        UNITS,
        cell="variant_lstm",
        **{**RANDOM, **PEEPHOLES, **ALL_OF_THE_VARIANTS, **options},
    ),
}
ALL = {**ONE_DIRECTION, **TWO_DIRECTIONS}
del ALL["gru_reset_before"]  # another recurrence, but not another layer


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


@pytest.fixture(params=ALL)
def make_layer(request):
    """Makes any layer of the package, three units wide, from its options."""
    return ALL[request.param]


@pytest.fixture(params=ONE_DIRECTION)
def make_causal_layer(request):
    """Makes a layer whose outputs do not depend on later inputs."""
    return ONE_DIRECTION[request.param]


@pytest.fixture(params=ONE_RECURRENCE)
def make_single_layer(request):
    """Makes a layer that is one recurrence, whose output is its first state."""
    return ONE_RECURRENCE[request.param]


@pytest.fixture(scope="session")
def all_layers():
    """How to make every layer, by name."""
    return ALL


@pytest.fixture
def sequences():
    """Inputs (4, 6, 2)."""
    return np.random.default_rng(0).normal(size=(4, 6, 2)).astype("float32")


@pytest.fixture
def masks():
    """Masks (4, 6) by name; `mixed` has a row of each kind."""
    right = np.arange(6)[None] < np.array([6, 4, 1, 3])[:, None]
    gaps = np.array([[1, 0, 1, 1, 0, 1], [0, 1, 0, 0, 1, 0], [1] * 6, [1, 1, 0, 0, 1, 1]], bool)
    nothing = np.zeros((4, 6), bool)
    mixed = np.stack([right[1], right[1, ::-1], gaps[0], nothing[0]])
    return {"right": right, "left": right[:, ::-1].copy(), "gaps": gaps, "mixed": mixed}


@pytest.fixture(scope="session")
def assert_gradients():
    """Compares the gradients of a scalar float64 function with central differences."""
    import tensorflow as tf  # here, since the tests in backends/ do without

    def check(function, variables):
        with tf.GradientTape() as tape:
            value = function()
        gradients = tape.gradient(value, variables)
        compiled = tf.function(function)
        for variable, gradient in zip(variables, gradients, strict=True):
            assert gradient is not None, f"{variable.name} has no gradient"
            start = variable.numpy()
            expected = np.zeros(start.shape)
            for position in np.ndindex(start.shape):
                for sign in (1.0, -1.0):
                    moved = start.copy()
                    moved[position] += sign * 1e-6
                    variable.assign(moved)
                    expected[position] += sign * compiled().numpy() / 2e-6
            variable.assign(start)
            np.testing.assert_allclose(
                gradient, expected, rtol=1e-5, atol=1e-8, err_msg=variable.name
            )
            assert np.abs(expected).max() > 1e-6, f"{variable.name} has no influence: no test"

    return check
