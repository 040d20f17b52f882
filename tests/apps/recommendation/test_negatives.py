"""Negatives come as often as their counts to the power say, from the seed alone."""

import numpy as np
import pytest
import tensorflow as tf

from apps.recommendation.training_model import Negatives

COUNTS = np.array([400, 90, 25, 9, 4, 1])


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_items_are_drawn_by_their_count_to_the_power(power):
    negatives = Negatives(COUNTS, power)
    drawn = negatives.draw(100_000, tf.constant([1, 2])).numpy()
    expected = COUNTS**power / (COUNTS**power).sum()
    np.testing.assert_allclose(np.bincount(drawn, minlength=6) / 100_000, expected, atol=0.006)
    np.testing.assert_allclose(np.exp(negatives.log_probabilities), expected, rtol=1e-5)


def test_a_draw_is_a_function_of_its_seed():
    negatives = Negatives(COUNTS, 0.5)
    one, same, other = (negatives.draw(50, tf.constant([7, at])).numpy() for at in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_rare_items_of_a_long_list_are_drawn_too():
    counts = np.ones(2_000_000)
    drawn = Negatives(counts, 1.0).draw(200_000, tf.constant([0, 0])).numpy()
    # With 32 bits most of the items could never be drawn
    assert len(np.unique(drawn)) > 185_000
    assert drawn.min() >= 0
    assert drawn.max() < len(counts)
