from typing import NamedTuple

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

    with pytest.raises(ValueError, match="unroll=True"):
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


class _Weights(NamedTuple):
    kernel: object
    bias: object = None
    peephole: object = None


def test_weights_are_restored_from_those_that_are_present():
    weights = _Weights(1.0, peephole=3.0)
    tensors, which = scan.present(weights), scan.given(weights)
    assert tensors == [1.0, 3.0]
    assert which == _Weights(True, False, True)
    assert scan.restored(which, tensors) == weights


def test_tensorflow_still_hides_them():
    """Fails on the day the private imports of `scan.py` can be replaced."""
    modules = (tf, tf.autodiff, tf.autograph, tf.compat.v1, tf.config, tf.experimental)
    names = ("stop_recording", "GraphOrParentsInXlaContext", "in_xla_context")
    public = [
        f"{module.__name__}.{name}" for module in modules for name in names if hasattr(module, name)
    ]
    assert not public, f"use {public[0]} instead of what lstm_layers/recurrences/scan.py imports"


def _gradient(block):
    x = tf.constant(3.0)
    with tf.GradientTape() as outer, tf.GradientTape() as inner:
        for tape in (outer, inner):
            tape.watch(x)
        with block():
            square = x * x
        total = square + x
    return [tape.gradient(total, x).numpy() for tape in (outer, inner)]


def test_no_tape_records_while_it_runs_and_every_tape_does_after():
    assert _gradient(scan.not_recorded) == [1.0, 1.0]


def test_it_takes_no_effect_on_an_error_beyond_its_block():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        with pytest.raises(KeyError), scan.not_recorded():
            raise KeyError
        square = x * x
    assert tape.gradient(square, x).numpy() == 6.0


def _compiled_loop():
    @tf.function(jit_compile=True)
    def doubled(x, times):
        return tf.while_loop(lambda n, _: n < times, lambda n, x: (n + 1, 2.0 * x), (0, x))[1]

    return doubled


def test_a_compiled_loop_cannot_be_called_under_a_tape_without_it():
    """What it is for; without this failure it could go."""
    x, times = tf.constant(3.0), tf.constant(2)
    with tf.GradientTape() as tape:
        tape.watch(x)
        with pytest.raises(tf.errors.InvalidArgumentError):
            _compiled_loop()(x, times)
        with scan.not_recorded():
            assert _compiled_loop()(x, times).numpy() == 12.0


def _traced(jit_compile, within=lambda seen: seen()):
    seen = []

    @tf.function(jit_compile=jit_compile)
    def run():
        within(lambda: seen.append(scan.compiled_by_xla()))

    run.get_concrete_function()
    return seen


def test_a_graph_that_xla_compiles_is_told_from_another_one():
    assert not scan.compiled_by_xla()
    assert _traced(jit_compile=None) == [False]
    assert _traced(jit_compile=True) == [True]
    assert not scan.compiled_by_xla()


def test_a_function_within_a_graph_that_xla_compiles_is_one_too():
    def call(seen):
        tf.function(seen)()

    assert _traced(jit_compile=True, within=call) == [True]
    assert _traced(jit_compile=None, within=call) == [False]
