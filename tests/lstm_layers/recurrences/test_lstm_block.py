import itertools

import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import PeepholeLSTM
from lstm_layers.recurrences import lstm_block
from tests.lstm_layers.recurrences.beside_the_recurrence import (
    FEATURES,
    GAPS,
    MASKS,
    assert_same,
    results,
    second_gradients,
)
from tests.lstm_layers.recurrences.lstm_beside_the_recurrence import (
    OUTPUTS,
    arrays,
    block,
    recurrence,
)

BLOCK = block()


def masked(mask):
    """The block under a mask (time, batch)."""
    return block(tf.constant(mask))


SUBSETS = ["".join(gates) for n in range(4) for gates in itertools.combinations("ifo", n)]


@pytest.mark.parametrize("peepholes", SUBSETS)
def test_outputs_and_gradients_with_every_set_of_peepholes(peepholes):
    given = arrays("float32", peepholes)
    assert_same(results(BLOCK, given), results(recurrence(), given), 1e-5)


@pytest.mark.parametrize("peepholes", ["", "ifo"])
def test_outputs_and_gradients_without_a_bias(peepholes):
    given = arrays("float32", peepholes, use_bias=False)
    assert_same(results(BLOCK, given), results(recurrence(), given), 1e-5)


@pytest.mark.parametrize("through", OUTPUTS)
def test_gradients_through_each_output_alone(through):
    given = arrays("float32")
    found = results(BLOCK, given, through)
    assert_same(found, results(recurrence(), given, through), 1e-5)
    assert np.abs(found["gradient of c_0"]).max() > 1e-3


def test_one_step():
    given = arrays("float32", time=1)
    assert_same(results(BLOCK, given), results(recurrence(), given), 1e-5)


def test_without_a_step_the_states_stay_as_they_are():
    given = arrays("float32", time=0)
    h, last_h, last_c = BLOCK(given).values()
    assert h.shape[0] == 0
    np.testing.assert_array_equal(last_h, given["h_0"])
    np.testing.assert_array_equal(last_c, given["c_0"])


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("through", [None, *OUTPUTS])
def test_outputs_and_gradients_under_any_mask(mask, through):
    given = arrays("float32")
    found = results(masked(MASKS[mask]), given, through)
    expected = results(recurrence(tf.constant(MASKS[mask])), given, through)
    assert_same(found, expected, 1e-5)


def test_a_masked_step_changes_nothing_whatever_it_holds():
    given = arrays("float32")
    strange = tf.where(GAPS[..., None], given["inputs"], float("nan"))
    found = masked(GAPS)({**given, "inputs": strange})
    for one, other in zip(found.values(), masked(GAPS)(given).values(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("mask", "steps"), [("left", 4), ("gaps", 6), ("nothing", 0)])
def test_steps_that_no_row_needs_are_not_computed(mask, steps, monkeypatch):
    original = lstm_block._forward
    ran = []

    def noting(count, *arguments):
        ran.append(int(count))
        return original(count, *arguments)

    monkeypatch.setattr(lstm_block, "_forward", noting)
    masked(MASKS[mask])(arrays("float32"))
    assert ran == [steps]


def test_a_mask_over_no_step_and_over_no_row():
    given = arrays("float32", time=0)
    h, last_h, last_c = masked(np.zeros((0, 4), bool))(given).values()
    assert h.shape == (0, *given["h_0"].shape)
    np.testing.assert_array_equal(last_h, given["h_0"])
    np.testing.assert_array_equal(last_c, given["c_0"])
    given = arrays("float32", batch=0)
    assert masked(np.zeros((6, 0), bool))(given)["h"].shape == (6, 0, given["h_0"].shape[1])


def test_a_mask_that_only_the_call_tells():
    given = arrays("float32")

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.bool)])
    def traced(mask):
        run = block(mask)
        with tf.GradientTape() as tape:
            tape.watch(given)
            h, *last = run(given).values()
            total = tf.reduce_sum(h**2)
        return h, *last, *tape.gradient(total, given).values()

    for name in ("right", "gaps", "nothing"):
        mask = tf.constant(MASKS[name])
        with tf.GradientTape() as tape:
            tape.watch(given)
            expected = list(recurrence(mask)(given).values())
            total = tf.reduce_sum(expected[0] ** 2)
        expected += tape.gradient(total, given).values()
        for one, other in zip(traced(mask), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_time_and_batch_that_only_the_call_tells():
    given = arrays("float32")

    def run(inputs, h_0, c_0):
        found = BLOCK({**given, "inputs": inputs, "h_0": h_0, "c_0": c_0})
        return list(found.values())

    state = tf.TensorSpec([None, given["h_0"].shape[1]])
    traced = tf.function(run, input_signature=[tf.TensorSpec([None, None, FEATURES]), state, state])
    for time, batch in ((6, 4), (3, 1)):
        inputs, h_0, c_0 = (given[name] for name in ("inputs", "h_0", "c_0"))
        part = inputs[:time, :batch], h_0[:batch], c_0[:batch]
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(part)
            found, expected = traced(*part), run(*part)
            sums = [tf.reduce_sum(each[0]) + tf.reduce_sum(each[2]) for each in (found, expected)]
        gradients = [tape.gradient(total, part) for total in sums]
        for one, other in zip((*found, *gradients[0]), (*expected, *gradients[1]), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_one_operation_runs_the_loop():
    given = arrays("float32")
    graph = tf.function(lambda: BLOCK(given)).get_concrete_function().graph
    operations = [node.op for node in graph.as_graph_def().node]
    assert operations.count("BlockLSTMV2") == 1
    assert not {"While", "StatelessWhile"} & set(operations)


@pytest.mark.parametrize("mask", [None, GAPS[:3]])
def test_a_gradient_of_a_gradient_is_that_of_the_recurrence(mask):
    given = arrays("float32", time=3)
    found = second_gradients(BLOCK if mask is None else masked(mask), given)
    expected = second_gradients(recurrence(None if mask is None else tf.constant(mask)), given)
    largest = {name: np.abs(value).max() for name, value in expected.items()}
    assert min(largest.values()) > 0.1
    scaled = [
        {name: value / largest[name] for name, value in each.items()} for each in (found, expected)
    ]
    assert_same(*scaled, 1e-4)


def test_forward_mode_is_refused_and_not_wrong():
    layer = PeepholeLSTM(2, implementation="block")
    x = tf.ones((1, 3, 2))
    layer.build(x.shape)
    with (
        pytest.raises(ValueError, match='implementation="graph"'),
        tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)),
    ):
        layer(x)
