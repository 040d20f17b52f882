import itertools

import numpy as np
import pytest
import tensorflow as tf

from lstm_layers.recurrences import lstm_graph
from lstm_layers.recurrences.lstm_step import Options, Weights

TIME, BATCH, UNITS = 5, 3, 2
SUBSETS = ["".join(gates) for n in range(4) for gates in itertools.combinations("ifo", n)]


def _arrays(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "z": rng.normal(size=(TIME, BATCH, 4 * UNITS)),
        "recurrent_kernel": rng.normal(size=(UNITS, 4 * UNITS)),
        "h_0": rng.normal(size=(BATCH, UNITS)),
        "c_0": rng.normal(size=(BATCH, UNITS)),
        "i": rng.normal(size=UNITS),
        "f": rng.normal(size=UNITS),
        "o": rng.normal(size=UNITS),
    }


def _run(arrays, subset, mask=None, dropout_mask=None, options=None):
    """The loop, where W is the identity: its inputs are z."""
    peepholes = (arrays[gate] if gate in subset else None for gate in "ifo")
    identity = np.eye(4 * UNITS)
    weights = Weights(identity, arrays["recurrent_kernel"], None, *peepholes, dropout_mask)
    initial = arrays["h_0"], arrays["c_0"]
    h, final = lstm_graph.run(arrays["z"], mask, initial, weights, options or Options())
    return h, *final


def _sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def _by_the_equations(arrays, subset, mask=None, dropout_mask=1.0):
    """Gers et al. 2002, a row, a step and a gate at a time."""
    p_i, p_f, p_o = (arrays[gate] * (gate in subset) for gate in "ifo")
    r_i, r_f, r_g, r_o = np.split(arrays["recurrent_kernel"], 4, axis=1)
    outputs = np.zeros((TIME, BATCH, UNITS))
    h, c = arrays["h_0"].copy(), arrays["c_0"].copy()
    for t in range(TIME):
        for row in range(BATCH):
            if mask is not None and not mask[t, row]:
                outputs[t, row] = h[row]
                continue
            z_i, z_f, z_g, z_o = np.split(arrays["z"][t, row], 4)
            fed_back = (h * dropout_mask)[row]
            i = _sigmoid(z_i + fed_back @ r_i + p_i * c[row])
            f = _sigmoid(z_f + fed_back @ r_f + p_f * c[row])
            c[row] = f * c[row] + i * np.tanh(z_g + fed_back @ r_g)
            o = _sigmoid(z_o + fed_back @ r_o + p_o * c[row])
            h[row] = o * np.tanh(c[row])
            outputs[t, row] = h[row]
    return outputs, h, c


MASK = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0]], bool)
DROPOUT_MASK = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])


@pytest.mark.parametrize("subset", SUBSETS)
@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "mask"])
def test_forward_follows_the_equations_for_every_set_of_peepholes(subset, mask):
    arrays = _arrays()
    results = _run(arrays, subset, mask, DROPOUT_MASK)
    expected = _by_the_equations(arrays, subset, mask, DROPOUT_MASK)
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=1e-12)


def test_every_peephole_moves_the_result_from_the_second_step_on():
    """A check of the checks: no set of peepholes gives what another one gives."""
    last = [_by_the_equations(_arrays(), subset)[0][1:] for subset in SUBSETS]
    for one, other in itertools.combinations(last, 2):
        assert np.abs(one - other).max() > 1e-3


def _assert_gradients(assert_gradients, subset, mask=None, dropout_mask=None, options=None):
    names = ["z", "recurrent_kernel", "h_0", "c_0", *subset]
    arrays = {
        name: tf.Variable(value, name=name) if name in names else value
        for name, value in _arrays().items()
    }
    rng = np.random.default_rng(1)
    # All three outputs, each entry weighted on its own, so that no gradient cancels.
    weights = [
        rng.normal(size=shape) for shape in ((TIME, BATCH, UNITS), (BATCH, UNITS), (BATCH, UNITS))
    ]

    def loss():
        results = _run(
            {name: tf.convert_to_tensor(value) for name, value in arrays.items()},
            subset, mask, dropout_mask, options,
        )  # fmt: skip
        return tf.add_n([tf.reduce_sum(w * r) for w, r in zip(weights, results, strict=True)])

    assert_gradients(loss, [arrays[name] for name in names])


@pytest.mark.parametrize("subset", SUBSETS)
def test_gradient_of_every_input_for_every_set_of_peepholes(assert_gradients, subset):
    _assert_gradients(assert_gradients, subset)


@pytest.mark.parametrize("subset", ["", "i", "f", "o", "ifo"])
def test_gradient_under_mask_and_recurrent_dropout(assert_gradients, subset):
    _assert_gradients(assert_gradients, subset, tf.constant(MASK), tf.constant(DROPOUT_MASK))


@pytest.mark.parametrize(
    ("activation", "recurrent_activation"),
    [("linear", "sigmoid"), ("softsign", "hard_sigmoid"), ("relu", "sigmoid"), ("tanh", "tanh")],
)
def test_gradient_for_other_activations(assert_gradients, activation, recurrent_activation):
    options = Options(activation, recurrent_activation)
    _assert_gradients(assert_gradients, "ifo", options=options)


@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "mask"])
def test_unrolled_steps_give_the_loops_results_and_gradients(mask):
    mask = None if mask is None else tf.constant(mask)
    arrays = {name: tf.constant(value) for name, value in _arrays().items()}
    results = []
    for unroll in (False, True):

        @tf.function
        def run(arrays, unroll=unroll):
            with tf.GradientTape() as tape:
                tape.watch(arrays)
                h, *last = _run(arrays, "ifo", mask, DROPOUT_MASK, Options(unroll=unroll))
                loss = tf.reduce_sum(h**2) + tf.reduce_sum(last)
            return h, last, tape.gradient(loss, arrays)

        results.append(tf.nest.flatten(run(arrays)))
    for loop, unrolled in zip(*results, strict=True):
        np.testing.assert_allclose(loop, unrolled, rtol=1e-12, atol=1e-14)
