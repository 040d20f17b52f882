"""Batches hold every sequence, little padding, and the same in a training that goes on."""

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.sequences import batches, ragged

LENGTHS = np.random.default_rng(0).integers(1, 60, 203)


@pytest.fixture(scope="module")
def sequences():
    draw = np.random.default_rng(1)
    arrays = [draw.normal(size=(length, 2)).astype(np.float32) for length in LENGTHS]
    return ragged.of_arrays(arrays, [str(number) for number in range(len(arrays))], ("x", "y"))


def test_a_pass_takes_each_sequence_at_most_once_and_leaves_out_others_each_time():
    buckets = batches.Buckets(LENGTHS, 8, (0, 0))
    left_out = []
    for number in range(3):
        steps = range(number * buckets.batches_per_pass, (number + 1) * buckets.batches_per_pass)
        taken = np.concatenate([buckets.batch(step) for step in steps])
        assert len(np.unique(taken)) == len(taken) == len(LENGTHS) // 8 * 8
        left_out.append({*range(len(LENGTHS))} - {*taken.tolist()})
    assert left_out[0] != left_out[1]


def test_buckets_save_padding_and_come_in_a_drawn_order():
    def cost(sort):
        buckets = batches.Buckets(LENGTHS, 8, (0, 0), sort)
        longest = [LENGTHS[buckets.batch(step)].max() for step in range(buckets.batches_per_pass)]
        return sum(longest), longest

    sorted_cost, longest = cost(True)
    assert sorted_cost < 0.7 * cost(False)[0]
    assert sorted(longest) != longest


def test_few_sequences_fill_a_batch_several_times():
    assert sorted(batches.Buckets(np.array([3, 4, 5]), 6, (0, 0)).batch(0)) == [0, 0, 1, 1, 2, 2]


def test_a_training_that_goes_on_sees_the_same_batches_and_draws(sequences):
    specs = (tf.TensorSpec([4, None, 2]), tf.TensorSpec([4]))

    def stream(first):
        def make(chosen, draw):
            return batches.padded(sequences, chosen), draw.random(len(chosen))

        buckets = batches.Buckets(LENGTHS, 4, (3, 0))
        return batches.endless(buckets, make, specs, first)

    whole = list(stream(0).take(60).as_numpy_iterator())
    rest = list(stream(45).take(15).as_numpy_iterator())
    for one, other in zip(whole[45:], rest, strict=True):
        for first, second in zip(one, other, strict=True):
            np.testing.assert_array_equal(first, second)


def test_padding_stands_after_the_end_and_is_nan(sequences):
    chosen = np.array([5, 0, 9])
    values = batches.padded(sequences, chosen)
    assert values.shape == (3, LENGTHS[chosen].max(), 2)
    for row, index in zip(values, chosen, strict=True):
        np.testing.assert_array_equal(row[: LENGTHS[index]], sequences.at(index))
        assert np.isnan(row[LENGTHS[index] :]).all()
