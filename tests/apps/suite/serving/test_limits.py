"""A graph refuses sizes above a bound and values that are not finite, before it goes on."""

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.serving import limits


@tf.function(input_signature=[tf.TensorSpec([None, None])], autograph=False)
def bounded(values):
    rows, columns = tf.unstack(tf.shape(values))
    values = limits.at_most(values, [rows, columns, 1_000], 12_000, "values: rows times columns")
    return tf.fill([1_000 * rows * columns], tf.reduce_sum(values))


def test_a_product_within_the_bound_passes_unchanged():
    assert bounded(np.ones((3, 4), np.float32))[0] == 12
    assert tf.size(bounded(np.ones((0, 4), np.float32))) == 0


def test_a_product_beyond_the_bound_is_told_with_both_numbers():
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        bounded(np.ones((13, 1), np.float32))
    for part in ("values: rows times columns", "12,000", "13000"):
        assert part in caught.value.message


def test_a_product_that_no_integer_holds_is_beyond_every_bound():
    huge = tf.constant(2**31 - 1)
    with pytest.raises(tf.errors.InvalidArgumentError):
        limits.at_most(huge, [huge] * 5, 2**31, "rows")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_told_with_its_input(wrong):
    assert limits.finite(tf.constant([1.0, -3e38]), "state").numpy().tolist()[0] == 1
    with pytest.raises(tf.errors.InvalidArgumentError, match="state"):
        limits.finite(tf.constant([[1.0, wrong]]), "state")
