"""A scorer answers many sequences as each alone, in their order, and leaves padding out."""

import keras
import numpy as np
import pytest

from apps.suite.sequence_answers import scorer as scorers
from apps.suite.sequences import ragged

LENGTHS = np.random.default_rng(0).integers(1, 60, 203)


@pytest.fixture(scope="module")
def sequences():
    draw = np.random.default_rng(1)
    arrays = [draw.normal(size=(length, 2)).astype(np.float32) for length in LENGTHS]
    return ragged.of_arrays(arrays, [str(number) for number in range(len(arrays))], ("x", "y"))


def network(compute):
    values = keras.Input((None, 2), name="values")
    return keras.Model(values, keras.layers.Lambda(compute)(values))


def sums(values):
    known = keras.ops.where(keras.ops.isnan(values), 0.0, values)
    return keras.ops.sum(known, axis=(1, 2))


def test_answers_come_in_the_order_of_the_sequences(sequences):
    found = scorers.Scorer(network(sums))(sequences)
    expected = [sequences.at(index).sum() for index in range(len(sequences))]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_answers_of_steps_leave_padding_out(sequences):
    found = scorers.Scorer(network(lambda values: 2 * values), by_step=True)(sequences)
    np.testing.assert_array_equal(found, 2 * sequences.values)


def test_what_finishes_answers_is_told_the_steps_that_count(sequences):
    last = scorers.Scorer(
        network(lambda values: values),
        activation=lambda outputs: outputs + 1,
        finished=lambda outputs, counted: counted,
    )
    found = last.of_batch(np.array([[[1, 2], [np.nan, 3], [np.nan, np.nan]]], np.float32))
    assert found.numpy().tolist() == [[True, True, False]]
