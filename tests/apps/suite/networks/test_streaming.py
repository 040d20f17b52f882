"""Sums that carry on from step to step, against a loop in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.networks import streaming


@pytest.mark.parametrize("time_is_known", [True, False])
@pytest.mark.parametrize("factor_width", [1, 3])
@pytest.mark.parametrize("steps", [0, 1, 2, 5, 8, 13])
def test_recurrence_is_that_of_a_loop_over_the_steps(steps, factor_width, time_is_known):
    draw = np.random.default_rng(steps)
    factors = draw.uniform(0.5, 1, (2, steps, 4, factor_width)).astype(np.float32)
    terms = draw.normal(size=(2, steps, 4, 3)).astype(np.float32)
    before = draw.normal(size=(2, 4, 3)).astype(np.float32)
    time = steps if time_is_known else None
    solve = tf.function(
        streaming.linear_recurrence,
        input_signature=[
            tf.TensorSpec((2, time, 4, factor_width)),
            tf.TensorSpec((2, time, 4, 3)),
            tf.TensorSpec((2, 4, 3)),
        ],
    )

    solved = solve(factors, terms, before)

    y, courses = before, []
    for at in range(steps):
        y = factors[:, at] * y + terms[:, at]
        courses.append(y)
    assert solved.shape == terms.shape
    for at in range(steps):
        np.testing.assert_allclose(solved[:, at], courses[at], rtol=1e-5, atol=1e-5)
