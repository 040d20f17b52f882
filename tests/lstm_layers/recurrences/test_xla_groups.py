"""A batch in groups of rows. Every cell is a compilation: there are few here."""

import contextlib
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_layers import BiLSTM
from lstm_layers.recurrences import implementations, xla
from tests.lstm_layers.recurrences import gru_beside_the_recurrence as gru
from tests.lstm_layers.recurrences import lstm_beside_the_recurrence as lstm
from tests.lstm_layers.recurrences.beside_the_recurrence import (
    UNITS,
    assert_same,
    results,
    second_gradients,
)

BATCH, TIME = 9, 6
RNG = np.random.default_rng(3)
LENGTHS = np.array([2, 6, 0, 1, 5, 3, 6, 1, 4])
# (time, batch), rows in no order.
MASKS = {
    "right": np.arange(TIME)[:, None] < LENGTHS,
    "left": np.arange(TIME)[::-1, None] < LENGTHS,
    "gaps": RNG.random((TIME, BATCH)) < 0.5,
    "alike": np.ones((TIME, BATCH), bool),
    "one long row": np.arange(TIME)[:, None] < np.array([1] * 4 + [TIME] + [0] * 4),
    "nothing": np.zeros((TIME, BATCH), bool),
}
DROPOUT_MASK = 2.0 * (RNG.random((BATCH, UNITS)) < 0.5)


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    """Three groups of three rows where there is a mask, of weights of any size; one core."""
    monkeypatch.setattr(xla, "ROWS_OF_A_GROUP", 3)
    monkeypatch.setattr(xla, "ROWS_OF_A_CORE", 3)
    monkeypatch.setattr(xla, "WEIGHTS_OF_GROUPS", 0)
    monkeypatch.setattr(xla, "_cores", lambda: 1)
    loops = []
    whole = xla._loop
    monkeypatch.setattr(
        xla, "_loop", lambda cell, x, *others: loops.append(x.shape[1]) or whole(cell, x, *others)
    )
    return loops


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("cell", [lstm, gru], ids=["lstm", "gru"])
def test_outputs_and_gradients_are_those_of_one_loop_over_all_rows(cell, mask, small_groups):
    """All masks and groups are one compilation of a cell; the reference knows no groups."""
    given = cell.arrays("float64", batch=BATCH)
    masks = tf.constant(MASKS[mask]), tf.constant(DROPOUT_MASK)
    found = results(cell.compiled(*masks), given)
    assert small_groups == [3, 3, 3]
    assert_same(found, results(cell.recurrence(*masks), given), 1e-11)


@pytest.mark.parametrize("dropped", [True, False], ids=["recurrent dropout", "nothing dropped"])
@pytest.mark.parametrize("cell", [lstm, gru], ids=["lstm", "gru"])
def test_without_a_mask_each_core_has_a_group(cell, dropped, monkeypatch, small_groups):
    monkeypatch.setattr(xla, "_cores", lambda: 3)
    given = cell.arrays("float64", batch=BATCH)
    masks = None, tf.constant(DROPOUT_MASK) if dropped else None
    found = results(cell.compiled(*masks), given)
    assert small_groups == [3, 3, 3]
    assert_same(found, results(cell.recurrence(*masks), given), 1e-11)


def test_a_gradient_of_a_gradient_is_that_of_the_recurrence():
    given = lstm.arrays("float64", batch=BATCH)
    mask = tf.constant(MASKS["gaps"])
    found = second_gradients(lstm.compiled(mask), given)
    assert_same(found, second_gradients(lstm.recurrence(mask), given), 1e-9)


def test_values_at_masked_steps_have_no_influence():
    given = lstm.arrays("float64", batch=BATCH)
    mask = MASKS["right"]
    dirty = np.where(mask[:, :, None], given["inputs"], np.nan)
    found = results(lstm.compiled(tf.constant(mask)), {**given, "inputs": tf.constant(dirty)})
    assert_same(found, results(lstm.recurrence(tf.constant(mask)), given), 1e-11)


def test_rows_of_the_last_state_may_be_gathered():
    given = lstm.arrays("float64", batch=BATCH)
    mask = tf.constant(MASKS["right"])

    def gathered(run):
        return lambda given: {"c": tf.gather(run(given)["last c"], [2, 5, 5])}

    expected = results(gathered(lstm.recurrence(mask)), given)
    assert_same(results(gathered(lstm.compiled(mask)), given), expected, 1e-11)


@pytest.mark.parametrize(
    ("rows", "mask_rows", "loops"), [(8, 8, [4, 4]), (5, 5, [5]), (7, 7, [7]), (9, 1, [9])]
)
def test_groups_are_of_one_size(rows, mask_rows, loops, small_groups):
    given = gru.arrays("float64", batch=rows)
    gru.compiled(tf.ones((TIME, mask_rows), tf.bool))(given)
    assert small_groups == loops


@pytest.mark.parametrize(
    ("cores", "masked", "loops"),
    [(1, False, [9]), (1, True, [9]), (2, False, [9]), (3, True, [3, 3, 3]), (8, False, [3, 3, 3])],
)
def test_small_weights_run_in_groups_for_the_cores_alone(
    cores, masked, loops, monkeypatch, small_groups
):
    """Nine rows cannot be halved, and no group has fewer than three."""
    monkeypatch.setattr(xla, "WEIGHTS_OF_GROUPS", 10_000)
    monkeypatch.setattr(xla, "_cores", lambda: cores)
    mask = (tf.constant(MASKS["right"]),) if masked else ()
    gru.compiled(*mask)(gru.arrays("float64", batch=BATCH))
    assert small_groups == loops


@pytest.fixture
def five_cores(monkeypatch, small_groups):
    """The cores are counted, and there are five."""
    monkeypatch.undo()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(5)), raising=False)


def cores_in_a_graph():
    found = []
    tf.function(lambda: found.append(xla._cores()))()
    return found[0]


@pytest.mark.parametrize(("threads", "cores"), [(0, 5), (3, 3), (8, 5)])
def test_loops_have_the_cores_that_operations_of_a_graph_have(
    threads, cores, monkeypatch, five_cores
):
    threading = tf.config.threading
    monkeypatch.setattr(threading, "get_inter_op_parallelism_threads", lambda: threads)
    assert cores_in_a_graph() == cores
    assert xla._cores() == 1  # eager operations run one after another


def test_loops_side_by_side_share_the_cores(five_cores):
    with implementations.side_by_side(2):
        assert cores_in_a_graph() == 2
        with implementations.side_by_side(3):
            assert cores_in_a_graph() == 1
    assert cores_in_a_graph() == 5


def test_the_two_directions_share_the_cores(monkeypatch, five_cores):
    rows = []
    whole = xla._loop
    monkeypatch.setattr(
        xla, "_loop", lambda cell, x, *others: rows.append(x.shape[1]) or whole(cell, x, *others)
    )
    layer = BiLSTM(3, implementation="xla")
    layer.build((32, TIME, 2))
    rows.clear()
    tf.function(lambda: layer(tf.ones([32, TIME, 2])))()
    assert rows == [16] * 4


@pytest.mark.parametrize(
    "scope", [contextlib.nullcontext, keras.RematScope], ids=["plain", "rematerialized"]
)
def test_a_model_trains_by_groups_as_it_does_by_one_loop(scope, small_groups):
    """Both directions, so padding on either side, behind a layer that makes the mask."""
    x = np.where(MASKS["right"].T[:, :, None], RNG.normal(size=(BATCH, TIME, 2)), 0.0)
    trained = []
    for implementation in ("graph", "xla"):
        keras.utils.set_random_seed(0)
        with scope():
            layer = BiLSTM(3, recurrent_dropout=0.3, implementation=implementation)
        inputs = keras.Input((TIME, 2), batch_size=BATCH)
        outputs = keras.layers.Dense(1)(layer(keras.layers.Masking()(inputs)))
        model = keras.Model(inputs, outputs)
        model.compile("sgd", "mse")
        model.fit(x, np.ones((BATCH, 1)), batch_size=BATCH, epochs=2, verbose=0)
        trained.append(model.get_weights())
    assert small_groups[:6] == [3] * 6
    for one, other in zip(*trained, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
