"""Smoothed labels are the posterior of a model of labels that last, whatever stands around."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.sequence_answers import smoothing
from apps.suite.sequences import ragged


def drawn(rows, steps, labels=3, seed=0):
    odds = np.random.default_rng(seed).gamma(0.5, size=(rows, steps, labels)).astype(np.float32)
    return odds / odds.sum(axis=-1, keepdims=True)


def smoothed(probabilities, counted=None, weight=0.7, changes=0.2):
    counted = np.ones(probabilities.shape[:2], bool) if counted is None else counted
    return smoothing.smoothed(tf.constant(probabilities), counted, weight, changes).numpy()


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_step_has_the_share_of_all_paths_through_its_label(steps):
    (p,) = drawn(1, steps)
    expected = np.zeros((steps, 3))
    for path in itertools.product(range(3), repeat=steps):
        share = np.prod([p[at, label] ** 0.7 for at, label in enumerate(path)])
        for one, other in itertools.pairwise(path):
            share *= 0.2 / 3 + 0.8 * (one == other)
        for at, label in enumerate(path):
            expected[at, label] += share
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(smoothed(p[None])[0], expected, rtol=1e-4, atol=1e-6)


def test_padding_on_either_side_and_other_rows_change_nothing():
    p = drawn(3, 12)
    alone = smoothed(p[:1, 3:9])[0]
    counted = np.ones((3, 12), bool)
    counted[0, :3] = counted[0, 9:] = False
    np.testing.assert_allclose(smoothed(p, counted)[0, 3:9], alone, rtol=1e-4, atol=1e-6)


def test_a_flicker_goes_and_a_change_that_lasts_stays():
    truth = np.repeat([0, 1, 2, 0], 60)
    p = np.full((240, 3), 0.2, np.float32)
    flickering = np.where(np.arange(240) % 5 == 3, (truth + 1) % 3, truth)
    p[np.arange(240), flickering] = 0.6
    sequences = ragged.of_arrays([np.zeros((240, 1), np.float32)], ["a"], ["x"])
    setting, said = smoothing.chosen(sequences, truth, p)
    assert setting is not None
    assert "weight" in said
    answers = smoothed(p[None], weight=setting.weight, changes=setting.changes)[0].argmax(axis=1)
    assert np.flatnonzero(np.diff(answers)).size == 3
    assert (answers == truth).mean() > 0.95
    assert (flickering == truth).mean() == pytest.approx(0.8)


def test_answers_that_are_right_are_left_alone():
    truth = np.repeat([0, 1], 4)
    p = np.eye(3, dtype=np.float32)[truth] * 0.97 + 0.01
    sequences = ragged.of_arrays([np.zeros((8, 1), np.float32)], ["a"], ["x"])
    setting, said = smoothing.chosen(sequences, truth, p)
    assert setting is None
    assert "not smoothed" in said
