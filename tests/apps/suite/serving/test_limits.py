"""A graph refuses sizes above a bound and values that are not finite, before it goes on."""

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.serving import limits, models


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


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("", " [[{{node Assert/Assert}}]]"),
        ("Graph execution error: ", " [[{{node Assert_5/AssertGuard/Assert}}]] [Op:__inference_1]"),
        (
            'Graph execution error: Detected at node Assert_5 defined at: File "a.py", line 3 ',
            " [[{{node Assert_5}}]] [Op:__inference_1]",
        ),
    ],
)
def test_a_refusal_is_told_without_the_graph_s_own_words(before, after):
    message = f"{before}assertion failed: [text: at most 100 are allowed. Here are] [300]{after}"
    told = models.in_plain_words(message)
    assert told == "text: at most 100 are allowed. Here are 300"
    assert models.in_plain_words("text has shape [3]") == "text has shape [3]"
