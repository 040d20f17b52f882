import numpy as np
import pytest
import tensorflow as tf

from lstm_layers.recurrences import scan


def _running_sum(t, carry, values):
    total = carry[0] + values[t]
    return (total,), (total, 2.0 * values[t])


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("graph", [False, True])
def test_outputs_are_stacked_by_step_whatever_the_direction(unroll, reverse, graph):
    values = np.arange(1.0, 6.0)[:, None] * np.ones((5, 2))

    def run(values):
        template = tf.zeros_like(values[0])
        return scan.scan(
            lambda t, carry: _running_sum(t, carry, values),
            (template,),
            scan.step_count(values, unroll),
            [template, template],
            reverse=reverse,
            unroll=unroll,
        )

    (last,), (totals, doubles) = (tf.function(run) if graph else run)(tf.constant(values))
    expected = np.cumsum(values[::-1], axis=0)[::-1] if reverse else np.cumsum(values, axis=0)
    np.testing.assert_array_equal(totals, expected)
    np.testing.assert_array_equal(doubles, 2 * values)
    np.testing.assert_array_equal(last, values.sum(axis=0))


def test_unrolling_over_an_unknown_length_is_refused():
    @tf.function(input_signature=[tf.TensorSpec([None, 2])])
    def count(values):
        return scan.step_count(values, unroll=True)

    with pytest.raises(ValueError, match="unroll=True needs a time dimension"):
        count.get_concrete_function()


def test_product_multiplies_in_the_kernels_dtype_and_returns_that_of_the_values():
    values, kernel = tf.constant([[1.0, 1.0 / 512.0]]), tf.constant([[1.0], [1.0]])
    exact = scan.product(values, kernel)
    rounded = scan.product(values, tf.cast(kernel, tf.bfloat16))
    assert exact.dtype == rounded.dtype == tf.float32
    assert exact.numpy() == 1.0 + 1.0 / 512.0
    assert rounded.numpy() == 1.0


def test_weight_gradient_sums_over_time_and_batch():
    rng = np.random.default_rng(0)
    values, gradient = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 4, 5))
    np.testing.assert_allclose(
        scan.weight_gradient(tf.constant(values), tf.constant(gradient), tf.float64),
        np.einsum("tbr,tbc->rc", values, gradient),
    )
