"""The compiled recurrence. Every shape and set of options is a compilation: there are few here."""

import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import PeepholeLSTM, lstm_xla
from lstm_layers.lstm_step import Options
from tests.lstm_layers.beside_the_recurrence import (
    DROPOUT_MASK,
    FEATURES,
    MASKS,
    OUTPUTS,
    UNITS,
    arrays,
    assert_same,
    outputs,
    recurrence,
    results,
    second_gradients,
)


def _compiled(mask=None, dropout_mask=None, options=Options(), keep=True):
    def run(inputs, kernel, recurrent_kernel, bias, peepholes, state):
        weights = lstm_xla.Weights(kernel, recurrent_kernel, bias, peepholes)
        return lstm_xla.lstm(inputs, weights, state, mask, dropout_mask, options, keep)

    return run


@pytest.mark.parametrize("peepholes", ["", "f", "io"])
def test_outputs_and_gradients_with_and_without_each_peephole(peepholes):
    given = arrays("float64", peepholes)
    assert_same(results(_compiled(), given), results(recurrence(), given), 1e-11)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("mask", MASKS)
def test_outputs_and_gradients_under_masks_and_recurrent_dropout(mask, keep):
    """All of these are one forward compilation for each `keep`, and one backward."""
    given = arrays("float64")
    masks = tf.constant(MASKS[mask]), tf.constant(DROPOUT_MASK)
    found = results(_compiled(*masks, keep=keep), given)
    assert_same(found, results(recurrence(*masks), given), 1e-11)


@pytest.mark.parametrize("through", OUTPUTS)
def test_gradients_through_each_output_alone(through):
    given = arrays("float64")
    masks = tf.constant(MASKS["left"]), tf.constant(DROPOUT_MASK)
    found = results(_compiled(*masks), given, through)
    assert_same(found, results(recurrence(*masks), given, through), 1e-11)
    assert np.abs(found["gradient of c_0"]).max() > 1e-3


def test_a_gradient_of_a_gradient_is_that_of_the_recurrence():
    given = arrays("float64")
    masks = tf.constant(MASKS["gaps"]), tf.constant(DROPOUT_MASK)
    found = second_gradients(_compiled(*masks), given)
    expected = second_gradients(recurrence(*masks), given)
    assert min(np.abs(value).max() for value in expected.values()) > 0.1
    assert_same(found, expected, 1e-9)


def test_float32_without_a_bias():
    given = arrays("float32", use_bias=False)
    dropout_mask = tf.constant(DROPOUT_MASK, "float32")
    expected = results(recurrence(dropout_mask=dropout_mask), given)
    assert_same(results(_compiled(dropout_mask=dropout_mask), given), expected, 1e-5)


def test_other_activations():
    given = arrays("float64")
    options = Options("softsign", "hard_sigmoid")
    expected = results(recurrence(options=options), given)
    assert_same(results(_compiled(options=options), given), expected, 1e-11)


def test_one_step():
    given = arrays("float64", time=1)
    assert_same(results(_compiled(), given), results(recurrence(), given), 1e-11)


def test_16_bits_are_those_of_the_products_alone():
    given = arrays("float32")
    half = {
        name: tf.cast(value, tf.bfloat16) if name in ("inputs", "kernel", "bias") else value
        for name, value in given.items()
    }
    half["recurrent_kernel"] = tf.cast(given["recurrent_kernel"], tf.bfloat16)
    found, expected = results(_compiled(), half), results(recurrence(), given)
    for name, value in half.items():
        assert found[f"gradient of {name}"].dtype == value.dtype
    assert all(found[name].dtype == tf.float32 for name in OUTPUTS)
    for name, value in expected.items():
        error = np.abs(tf.cast(found[name], tf.float32) - value).max()
        assert 0 < error < 0.06 * np.abs(value).max(), name


def test_a_batch_that_only_the_call_tells():
    given = arrays("float64", "f")
    state = tf.TensorSpec([None, UNITS], tf.float64)
    x = tf.TensorSpec([*given["inputs"].shape[:1], None, FEATURES], tf.float64)

    def with_gradients(run, part):
        with tf.GradientTape() as tape:
            tape.watch(part)
            h, _, last_c = outputs(run, {**given, **part})
            total = tf.reduce_sum(h**2) + tf.reduce_sum(last_c)
        return {"total": total, **tape.gradient(total, part)}

    @tf.function(input_signature=[x, state, state])
    def traced(inputs, h_0, c_0):
        return with_gradients(_compiled(), {"inputs": inputs, "h_0": h_0, "c_0": c_0})

    for batch in (4, 2):
        part = {"inputs": given["inputs"][:, :batch]}
        part |= {name: given[name][:batch] for name in ("h_0", "c_0")}
        assert_same(traced(**part), with_gradients(recurrence(), part), 1e-11)


def test_static_shapes_stay_static_whatever_was_traced_before():
    for batch in (2, 3, 4):
        given = arrays("float64", "f", batch=batch)

        @tf.function
        def traced(given=given):
            return list(outputs(_compiled(), given))

        found = traced.get_concrete_function().structured_outputs
        assert [each.shape for each in found] == [(6, batch, UNITS), (batch, UNITS), (batch, UNITS)]


def test_inside_a_function_that_is_compiled_as_a_whole():
    given = arrays("float64", "io")
    whole = tf.function(lambda given: results(_compiled(), given), jit_compile=True)
    assert_same(whole(given), results(recurrence(), given), 1e-11)


def test_layers_of_different_sizes_in_turn():
    """What is traced for one must not be stretched to shapes that fit both."""
    for sizes in ((FEATURES, UNITS), (5, 4)):
        given = arrays("float64", "f", sizes=sizes)
        assert_same(results(_compiled(), given), results(recurrence(), given), 1e-11)


def test_both_loops_are_compiled():
    layer = PeepholeLSTM(UNITS, implementation="xla")
    layer.build((4, 6, FEATURES))

    @tf.function
    def run(x):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(x, training=True))
        return tape.gradient(total, layer.trainable_variables)

    graph = run.get_concrete_function(tf.TensorSpec((4, 6, FEATURES))).graph.as_graph_def()
    compiled = {
        function.signature.name
        for function in graph.library.function
        if function.attr["_XlaMustCompile"].b
    }
    called = [node for node in graph.node if node.attr["f"].func.name in compiled]
    assert len(called) == 2
    assert not {"While", "StatelessWhile"} & {node.op for node in graph.node}


def test_forward_mode_is_refused_and_not_wrong():
    layer = PeepholeLSTM(UNITS, implementation="xla")
    x = tf.ones((1, 3, FEATURES))
    layer.build(x.shape)
    with (
        pytest.raises(ValueError, match='forward-mode derivatives need implementation="graph"'),
        tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)),
    ):
        layer(x)
