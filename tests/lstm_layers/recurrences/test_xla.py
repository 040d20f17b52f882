"""What compiled recurrences share. Every shape and cell is a compilation: there are few here."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import GRU, PeepholeLSTM
from lstm_layers.recurrences.gru_step import Options
from tests.lstm_layers.recurrences import gru_beside_the_recurrence as gru
from tests.lstm_layers.recurrences import lstm_beside_the_recurrence as lstm
from tests.lstm_layers.recurrences.beside_the_recurrence import (
    DROPOUT_MASK,
    FEATURES,
    MASKS,
    UNITS,
    assert_same,
    results,
    second_gradients,
)


class Cell(NamedTuple):
    """How to make a cell's tensors, its recurrence, the compiled one, and its layer."""

    arrays: Callable
    recurrence: Callable
    compiled: Callable
    layer: Callable


RESET_BEFORE = Options(reset_after=False)
CELLS = {
    "lstm": Cell(lstm.arrays, lstm.recurrence, lstm.compiled, PeepholeLSTM),
    "gru": Cell(gru.arrays, gru.recurrence, gru.compiled, GRU),
    "gru_reset_before": Cell(
        functools.partial(gru.arrays, reset_after=False),
        functools.partial(gru.recurrence, options=RESET_BEFORE),
        functools.partial(gru.compiled, options=RESET_BEFORE),
        functools.partial(GRU, reset_after=False),
    ),
}


@pytest.fixture(params=CELLS)
def cell(request):
    return CELLS[request.param]


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("mask", MASKS)
def test_outputs_and_gradients_under_masks_and_recurrent_dropout(cell, mask, keep):
    """All masks are one forward compilation for each `keep`, and one backward."""
    given = cell.arrays("float64")
    masks = tf.constant(MASKS[mask]), tf.constant(DROPOUT_MASK)
    found = results(cell.compiled(*masks, keep=keep), given)
    assert_same(found, results(cell.recurrence(*masks), given), 1e-11)


@pytest.mark.parametrize(
    ("name", "through"),
    [("lstm", each) for each in lstm.OUTPUTS] + [("gru", each) for each in gru.OUTPUTS],
)
def test_gradients_through_each_output_alone(name, through):
    cell = CELLS[name]
    given = cell.arrays("float64")
    masks = tf.constant(MASKS["left"]), tf.constant(DROPOUT_MASK)
    found = results(cell.compiled(*masks), given, through)
    assert_same(found, results(cell.recurrence(*masks), given, through), 1e-11)
    assert np.abs(found["gradient of h_0"]).max() > 1e-3


def test_a_gradient_of_a_gradient_is_that_of_the_recurrence(cell):
    given = cell.arrays("float64")
    masks = tf.constant(MASKS["gaps"]), tf.constant(DROPOUT_MASK)
    found = second_gradients(cell.compiled(*masks), given)
    expected = second_gradients(cell.recurrence(*masks), given)
    assert min(np.abs(value).max() for value in expected.values()) > 0.1
    assert_same(found, expected, 1e-9)


def test_float32_without_a_bias(cell):
    given = cell.arrays("float32", use_bias=False)
    dropout_mask = tf.constant(DROPOUT_MASK, "float32")
    expected = results(cell.recurrence(dropout_mask=dropout_mask), given)
    assert_same(results(cell.compiled(dropout_mask=dropout_mask), given), expected, 1e-5)


def test_one_step(cell):
    given = cell.arrays("float64", time=1)
    assert_same(results(cell.compiled(), given), results(cell.recurrence(), given), 1e-11)


def test_16_bits_are_those_of_the_products_alone(cell):
    given = cell.arrays("float32")
    half = {
        name: tf.cast(value, tf.bfloat16)
        if name in ("inputs", "kernel", "recurrent_kernel", "bias")
        else value
        for name, value in given.items()
    }
    found, expected = results(cell.compiled(), half), results(cell.recurrence(), given)
    for name, value in half.items():
        assert found[f"gradient of {name}"].dtype == value.dtype
    for name, value in expected.items():
        assert name.startswith("gradient") or found[name].dtype == tf.float32
        error = np.abs(tf.cast(found[name], tf.float32) - value).max()
        assert 0 < error < 0.06 * np.abs(value).max(), name


def test_a_batch_that_only_the_call_tells(cell):
    given = cell.arrays("float64")
    states = [name for name in given if name.endswith("_0")]
    specification = {name: tf.TensorSpec([None, UNITS], tf.float64) for name in states}
    specification["inputs"] = tf.TensorSpec([given["inputs"].shape[0], None, FEATURES], tf.float64)

    def with_gradients(run, part):
        with tf.GradientTape() as tape:
            tape.watch(part)
            h, *last = run({**given, **part}).values()
            total = tf.reduce_sum(h**2) + tf.reduce_sum(last[-1])
        return {"total": total, **tape.gradient(total, part)}

    @tf.function(input_signature=[specification])
    def traced(part):
        return with_gradients(cell.compiled(), part)

    for batch in (4, 2):
        part = {name: given[name][:batch] for name in states}
        part["inputs"] = given["inputs"][:, :batch]
        assert_same(traced(part), with_gradients(cell.recurrence(), part), 1e-11)


def test_static_shapes_stay_static_whatever_was_traced_before(cell):
    for batch in (2, 3, 4):
        given = cell.arrays("float64", batch=batch)

        @tf.function
        def traced(given=given):
            return list(cell.compiled()(given).values())

        h, *last = traced.get_concrete_function().structured_outputs
        assert h.shape == (6, batch, UNITS)
        assert all(each.shape == (batch, UNITS) for each in last)


def test_inside_a_function_that_is_compiled_as_a_whole(cell):
    given = cell.arrays("float64")
    whole = tf.function(lambda given: results(cell.compiled(), given), jit_compile=True)
    assert_same(whole(given), results(cell.recurrence(), given), 1e-11)


def test_layers_of_different_sizes_in_turn(cell):
    """What is traced for one must not be stretched to shapes that fit both."""
    for sizes in ((FEATURES, UNITS), (5, 4)):
        given = cell.arrays("float64", sizes=sizes)
        assert_same(results(cell.compiled(), given), results(cell.recurrence(), given), 1e-11)


def test_both_loops_are_compiled(cell):
    layer = cell.layer(UNITS, implementation="xla")
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


def test_layers_backwards_under_a_mask(cell, sequences, masks):
    """As a layer runs it: weights, gradients and dropout of the layer's own."""
    layers = [
        cell.layer(
            3,
            go_backwards=True,
            return_sequences=True,
            return_state=True,
            dropout=0.3,
            recurrent_dropout=0.3,
            weight_dropout=0.3,
            seed=1,
            implementation=name,
        )
        for name in ("graph", "xla")
    ]
    found = []
    for layer in layers:
        layer.build(sequences.shape)
        rng = np.random.default_rng(0)
        layer.set_weights([rng.normal(size=weight.shape) for weight in layer.get_weights()])
        with tf.GradientTape() as tape:
            outputs = layer(sequences, mask=tf.constant(masks["mixed"]), training=True)
            total = tf.add_n([tf.reduce_sum(tf.sin(each)) for each in outputs])
        found.append([*outputs, *tape.gradient(total, layer.trainable_variables)])
    assert [layer.implementation_used for layer in layers] == ["graph", "xla"]
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rows", [[0, 0, 2], [1]])
def test_rows_of_the_last_state_may_be_gathered(cell, rows):
    """The gradient of a gathering is no tensor but slices."""
    given = cell.arrays("float64")
    masks = tf.constant(MASKS["gaps"]), tf.constant(DROPOUT_MASK)

    def gathered(run):
        return lambda given: {
            name: value if name == "h" else tf.gather(value, rows)
            for name, value in run(given).items()
        }

    found = results(gathered(cell.compiled(*masks)), given)
    assert_same(found, results(gathered(cell.recurrence(*masks)), given), 1e-11)


def test_forward_mode_is_refused_and_not_wrong(cell):
    layer = cell.layer(UNITS, implementation="xla")
    x = tf.ones((1, 3, FEATURES))
    layer.build(x.shape)
    with (
        pytest.raises(ValueError, match='implementation="graph"'),
        tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)),
    ):
        layer(x)
