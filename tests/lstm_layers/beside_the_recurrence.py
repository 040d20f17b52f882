"""What an implementation of the LSTM gives, beside what `lstm_recurrence` gives.

An implementation is `run(inputs, kernel, recurrent_kernel, bias, peepholes, state)`, which returns
h at every step, and the last h and c.
"""

import numpy as np
import tensorflow as tf

from lstm_layers import lstm_recurrence
from lstm_layers.lstm_step import Options
from lstm_layers.portable_lstm import Peepholes

TIME, BATCH, FEATURES, UNITS = 6, 4, 3, 2
OUTPUTS = ("h", "last h", "last c")

RIGHT = np.arange(TIME)[:, None] < np.array([TIME, 4, 1, 3])
GAPS = np.array([[1, 0, 1, 1, 0, 1], [0, 1, 0, 0, 1, 0], [1] * 6, [1, 1, 0, 0, 1, 1]], bool).T
NOTHING = np.zeros((TIME, BATCH), bool)
# (time, batch). No row counts at the first two steps of `left`, nor at the last two of `early`.
MASKS = {
    "right": RIGHT,
    "early": RIGHT & (np.arange(TIME)[:, None] < TIME - 2),
    "left": RIGHT[::-1] & (np.arange(TIME)[:, None] >= 2),
    "gaps": GAPS,
    "a row of nothing": np.stack([RIGHT[:, 1], RIGHT[::-1, 1], GAPS[:, 0], NOTHING[:, 0]], axis=1),
    "nothing": NOTHING,
}
DROPOUT_MASK = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 2.0], [0.0, 0.0]])


def arrays(dtype, peepholes="ifo", use_bias=True, time=TIME, batch=BATCH, sizes=(FEATURES, UNITS)):
    """Inputs, weights and states by name, all of them random."""
    features, units = sizes
    shapes = {
        "inputs": (time, batch, features),
        "kernel": (features, 4 * units),
        "recurrent_kernel": (units, 4 * units),
        "h_0": (batch, units),
        "c_0": (batch, units),
        "bias": (4 * units,),
        "i": (units,),
        "f": (units,),
        "o": (units,),
    }
    left_out = set("ifo") - set(peepholes) | (set() if use_bias else {"bias"})
    rng = np.random.default_rng(0)
    drawn = {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
    return {name: tf.constant(array) for name, array in drawn.items() if name not in left_out}


def recurrence(mask=None, dropout_mask=None, options=Options()):
    """The implementation that others are compared with."""

    def run(inputs, kernel, recurrent_kernel, bias, peepholes, state):
        z = tf.einsum("tbf,fg->tbg", inputs, kernel)
        z = z if bias is None else z + bias
        return lstm_recurrence.lstm(
            z, recurrent_kernel, peepholes, state, mask, dropout_mask, options
        )

    return run


def outputs(run, given):
    """The three outputs of an implementation."""
    peepholes = Peepholes(*(given.get(gate) for gate in "ifo"))
    weights = (given[name] for name in ("inputs", "kernel", "recurrent_kernel"))
    return run(*weights, given.get("bias"), peepholes, (given["h_0"], given["c_0"]))


def loss(run, given, through=OUTPUTS):
    """A sum over the outputs in which each entry has its own weight, and the outputs."""
    found = dict(zip(OUTPUTS, outputs(run, given), strict=True))
    rng = np.random.default_rng(1)
    total = tf.add_n(
        [
            tf.reduce_sum(tf.constant(rng.normal(size=found[name].shape), value.dtype) * value)
            for name, value in found.items()
            if name in through
        ]
    )
    return total, found


def results(run, given, through=OUTPUTS):
    """Outputs, and the gradient of every input, weight and state, by name."""
    with tf.GradientTape() as tape:
        tape.watch(given)
        total, found = loss(run, given, through)
    gradients = tape.gradient(total, given)
    return {**found, **{f"gradient of {name}": value for name, value in gradients.items()}}


def second_gradients(run, given):
    """The gradient, by all that is given, of a sum of squares of all gradients."""
    with tf.GradientTape() as outer:
        outer.watch(given)
        with tf.GradientTape() as inner:
            inner.watch(given)
            total, _ = loss(lambda *arguments: map(tf.sin, run(*arguments)), given)
        squares = [tf.reduce_sum(each**2) for each in inner.gradient(total, given).values()]
        penalty = tf.add_n(squares)
    return outer.gradient(penalty, given)


def assert_same(found, expected, rtol):
    """All by name; entries near zero within `rtol` of one."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] is not None, f"{name}: none"
        np.testing.assert_allclose(found[name], value, rtol=rtol, atol=rtol, err_msg=name)
