"""Altered sequences keep what their options promise."""

import collections

import numpy as np
import pytest

from apps.suite.sequences import alteration
from apps.suite.sequences.alteration import AlterationConfig, altered

VALUES = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
LABELS = np.repeat([0, 1], 20)
DEVIATION = np.array([1.0, 2.0, 0.5])


def made(seed=0, values=VALUES, labels=LABELS, **options):
    draw = np.random.default_rng(seed)
    return altered(values, labels, AlterationConfig(**options), DEVIATION, draw)


def test_the_defaults_alter_nothing():
    values, labels = made()
    np.testing.assert_array_equal(values, VALUES)
    np.testing.assert_array_equal(labels, LABELS)


def test_a_cut_keeps_steps_and_labels_together():
    values, labels = made(shortest_share=0.3)
    assert 12 <= len(values) < 40
    first = int(np.flatnonzero((values[0] == VALUES).all(axis=1))[0])
    np.testing.assert_array_equal(values, VALUES[first : first + len(values)])
    np.testing.assert_array_equal(labels, LABELS[first : first + len(values)])


def test_another_pace_stretches_values_and_labels():
    for seed in range(5):
        values, labels = made(seed, speed_deviation=0.3)
        assert len(values) == len(labels)
        np.testing.assert_allclose(values[[0, -1]], VALUES[[0, -1]], atol=1e-6)
        assert labels.mean() == pytest.approx(0.5, abs=0.06)


def test_a_rotation_keeps_lengths_and_angles():
    values, _ = made(rotation_degrees=180)
    np.testing.assert_allclose(values @ values.T, VALUES @ VALUES.T, atol=1e-4)
    assert np.abs(values - VALUES).max() > 0.1


def test_level_and_scale_are_one_for_a_sequence():
    level = made(level_deviations=1.0)[0] - VALUES
    np.testing.assert_allclose(level, np.broadcast_to(level[0], level.shape), atol=1e-6)
    scale = made(scale_deviation=0.3)[0] / VALUES
    np.testing.assert_allclose(scale, np.broadcast_to(scale[0], scale.shape), rtol=1e-4)


def test_noise_is_told_in_deviations_and_missing_values_stay_missing():
    many = np.zeros((5_000, 3), np.float32)
    many[7, 1] = np.nan
    values, _ = made(values=many, labels=None, noise_deviations=0.5)
    np.testing.assert_allclose(np.nanstd(values, axis=0), 0.5 * DEVIATION, rtol=0.1)
    assert np.isnan(values[7, 1])
    hidden, _ = made(values=many, labels=None, missing_share=0.25)
    assert np.isnan(hidden).mean() == pytest.approx(0.25, abs=0.02)


def test_spans_are_replaced_by_others_of_their_type_and_the_rest_stays():
    rows = np.array([2, 3, 4, 5, 6, 7, 8, 9, 10, 3, 4])
    spans = [[(1, 3, "x")], [(4, 5, "x"), (5, 6, "y")], [(6, 8, "y")], [(9, 11, "x")]]
    swaps = alteration.SpanSwaps(np.array([0, 4, 6, 9, 11]), spans, rows, 0.5)
    draw, found = np.random.default_rng(0), collections.Counter()
    for _ in range(400):
        found[
            tuple(tuple(rows[each].tolist()) for each in swaps.drawn(np.array([1, 0]), draw))
        ] += 1
    x, y = ((6,), (3, 4)), ((7,), (8, 9))
    assert set(found) == {(one + two, (2, *three, 5)) for one in x for two in y for three in x}
    # Of two spans with the same rows one is drawn, so that both ends come as often: 3 of 4 stay
    assert pytest.approx(found[((6, 7), (2, 3, 4, 5))], rel=0.35) == 400 * 0.75**3
