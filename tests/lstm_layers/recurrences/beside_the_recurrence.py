"""What one implementation of a recurrence gives, beside what another one gives.

An implementation is `run(given)`, which takes tensors by name, and returns its outputs by name: h
at every step, and the last states.
"""

import numpy as np
import tensorflow as tf

TIME, BATCH, FEATURES, UNITS = 6, 4, 3, 2

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


def drawn(shapes, dtype):
    """A random tensor for each name and shape."""
    rng = np.random.default_rng(0)
    return {
        name: tf.constant(rng.normal(size=shape).astype(dtype)) for name, shape in shapes.items()
    }


def loss(run, given, through=None):
    """A sum over the outputs, or over one, in which each entry has its own weight; the outputs."""
    found = run(given)
    rng = np.random.default_rng(1)
    total = tf.add_n(
        [
            tf.reduce_sum(tf.constant(rng.normal(size=value.shape), value.dtype) * value)
            for name, value in found.items()
            if through in (None, name)
        ]
    )
    return total, found


def results(run, given, through=None):
    """Outputs, and the gradient of every input, weight and state, by name."""
    with tf.GradientTape() as tape:
        tape.watch(given)
        total, found = loss(run, given, through)
    gradients = tape.gradient(total, given)
    return {**found, **{f"gradient of {name}": value for name, value in gradients.items()}}


def second_gradients(run, given):
    """The gradient, by all that is given, of a sum of squares of all gradients."""

    def curved(given):
        return {name: tf.sin(value) for name, value in run(given).items()}

    with tf.GradientTape() as outer:
        outer.watch(given)
        with tf.GradientTape() as inner:
            inner.watch(given)
            total, _ = loss(curved, given)
        squares = [tf.reduce_sum(each**2) for each in inner.gradient(total, given).values()]
        penalty = tf.add_n(squares)
    return outer.gradient(penalty, given)


def assert_same(found, expected, rtol):
    """All by name; entries near zero within `rtol` of one."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] is not None, f"{name}: none"
        np.testing.assert_allclose(found[name], value, rtol=rtol, atol=rtol, err_msg=name)
