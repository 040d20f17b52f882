import numpy as np
import pytest
import tensorflow as tf

from lstm_layers.recurrences import gru_graph
from lstm_layers.recurrences.gru_step import Options, Weights

TIME, BATCH, UNITS = 5, 3, 2
MASK = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0]], bool)
DROPOUT_MASK = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])

variants = pytest.mark.parametrize("reset_after", [True, False])


def _arrays(reset_after):
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.normal(size=(TIME, BATCH, 3 * UNITS)),
        "recurrent_kernel": rng.normal(size=(UNITS, 3 * UNITS)),
        "recurrent_bias": rng.normal(size=3 * UNITS),
        "h_0": rng.normal(size=(BATCH, UNITS)),
    }
    if not reset_after:
        del arrays["recurrent_bias"]
    return arrays


def _run(arrays, mask, dropout_mask, **options):
    """The loop, where W is the identity: its inputs are a."""
    identity = np.eye(3 * UNITS)
    d = arrays.get("recurrent_bias")
    weights = Weights(identity, arrays["recurrent_kernel"], None, d, dropout_mask)
    h, final = gru_graph.run(arrays["a"], mask, (arrays["h_0"],), weights, Options(**options))
    return h, *final


def _sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def _by_the_equations(arrays, reset_after, mask=None, dropout_mask=1.0):
    """Cho et al. 2014, a row, a step and a gate at a time."""
    r_z, r_r, r_n = np.split(arrays["recurrent_kernel"], 3, axis=1)
    d_z, d_r, d_n = np.split(arrays.get("recurrent_bias", np.zeros(3 * UNITS)), 3)
    outputs = np.zeros((TIME, BATCH, UNITS))
    h = arrays["h_0"].copy()
    for t in range(TIME):
        for row in range(BATCH):
            if mask is None or mask[t, row]:
                a_z, a_r, a_n = np.split(arrays["a"][t, row], 3)
                fed_back = (h * dropout_mask)[row]
                z = _sigmoid(a_z + fed_back @ r_z + d_z)
                r = _sigmoid(a_r + fed_back @ r_r + d_r)
                candidate = r * (fed_back @ r_n + d_n) if reset_after else (r * fed_back) @ r_n
                h[row] = z * h[row] + (1.0 - z) * np.tanh(a_n + candidate)
            outputs[t, row] = h[row]
    return outputs, h


@variants
@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "mask"])
def test_forward_follows_the_equations(reset_after, mask):
    arrays = _arrays(reset_after)
    results = _run(arrays, mask, DROPOUT_MASK, reset_after=reset_after)
    expected = _by_the_equations(arrays, reset_after, mask, DROPOUT_MASK)
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=1e-12)


def _assert_gradients(assert_gradients, reset_after, mask=None, dropout_mask=None, **options):
    arrays = {name: tf.Variable(value, name=name) for name, value in _arrays(reset_after).items()}
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(TIME, BATCH, UNITS)), rng.normal(size=(BATCH, UNITS))

    def loss():
        tensors = {name: tf.convert_to_tensor(value) for name, value in arrays.items()}
        results = _run(tensors, mask, dropout_mask, reset_after=reset_after, **options)
        return tf.add_n([tf.reduce_sum(w * r) for w, r in zip(weights, results, strict=True)])

    assert_gradients(loss, list(arrays.values()))


@variants
def test_gradient_of_every_input(assert_gradients, reset_after):
    _assert_gradients(assert_gradients, reset_after)


@variants
def test_gradient_under_mask_and_recurrent_dropout(assert_gradients, reset_after):
    _assert_gradients(assert_gradients, reset_after, tf.constant(MASK), tf.constant(DROPOUT_MASK))


@variants
@pytest.mark.parametrize(
    ("activation", "recurrent_activation"),
    [("linear", "sigmoid"), ("softsign", "hard_sigmoid"), ("relu", "sigmoid"), ("tanh", "tanh")],
)
def test_gradient_for_other_activations(
    assert_gradients, reset_after, activation, recurrent_activation
):
    _assert_gradients(
        assert_gradients,
        reset_after,
        activation=activation,
        recurrent_activation=recurrent_activation,
    )


@variants
def test_unrolled_steps_give_the_loops_results_and_gradients(reset_after):
    arrays = {name: tf.constant(value) for name, value in _arrays(reset_after).items()}
    mask = tf.constant(MASK)
    results = []
    for unroll in (False, True):

        @tf.function
        def run(arrays, unroll=unroll):
            with tf.GradientTape() as tape:
                tape.watch(arrays)
                h, last = _run(arrays, mask, DROPOUT_MASK, reset_after=reset_after, unroll=unroll)
                loss = tf.reduce_sum(h**2) + tf.reduce_sum(last)
            return h, last, tape.gradient(loss, arrays)

        results.append(tf.nest.flatten(run(arrays)))
    for loop, unrolled in zip(*results, strict=True):
        np.testing.assert_allclose(loop, unrolled, rtol=1e-12, atol=1e-14)
