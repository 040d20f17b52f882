"""Losses against NumPy, and what accidental hits may not do."""

import numpy as np
import pytest
import tensorflow as tf

from apps.recommendation import losses
from apps.recommendation.training_model import Negatives

DRAW = np.random.default_rng(0)
RIGHT = DRAW.normal(0, 2, 5)
DRAWN = DRAW.normal(0, 2, (5, 7))
HITS = DRAW.random((5, 7)) < 0.3


def given(*arrays):
    return [tf.constant(each, tf.bool if each.dtype == bool else tf.float32) for each in arrays]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rows():
    """Each position's right score, and those of its negatives that are no hits."""
    return [(right, row[~hit]) for right, row, hit in zip(RIGHT, DRAWN, HITS, strict=True)]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_sampled_softmax_is_its_equation(smoothing):
    log_expected = DRAW.normal(0, 1, 7)
    found = losses.sampled_softmax(
        *given(RIGHT, DRAWN, HITS, log_expected), label_smoothing=smoothing
    )
    expected = []
    for right, row, hit in zip(RIGHT, DRAWN - log_expected, HITS, strict=True):
        candidates = np.array([right, *row[~hit]])
        logs = candidates - np.log(np.exp(candidates).sum())
        expected.append(-(1 - smoothing) * logs[0] - smoothing * logs.mean())
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("regularization", [0.0, 0.7])
def test_bpr_max_is_its_equation(regularization):
    found = losses.bpr_max(*given(RIGHT, DRAWN, HITS), regularization)
    expected = []
    for right, row in rows():
        weights = np.exp(row) / np.exp(row).sum()
        loss = -np.log((weights * sigmoid(right - row)).sum())
        expected.append(loss + regularization * (weights * row**2).sum())
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_top1_max_is_its_equation():
    found = losses.top1_max(*given(RIGHT, DRAWN, HITS))
    expected = []
    for right, row in rows():
        weights = np.exp(row) / np.exp(row).sum()
        expected.append((weights * (sigmoid(row - right) + sigmoid(row**2))).sum())
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        lambda right, drawn, hits: losses.sampled_softmax(right, drawn, hits, tf.zeros(7), 0.1),
        lambda right, drawn, hits: losses.bpr_max(right, drawn, hits, 1.0),
        losses.top1_max,
    ],
    ids=["sampled_softmax", "bpr_max", "top1_max"],
)
def test_accidental_hits_have_no_influence_and_no_gradient(loss):
    right, drawn, hits = given(RIGHT, DRAWN, HITS)
    with tf.GradientTape() as tape:
        tape.watch(drawn)
        found = loss(right, drawn, hits)
    slope = tape.gradient(found, drawn).numpy()
    np.testing.assert_array_equal(slope[HITS], 0)
    assert (slope[~HITS] != 0).all()
    np.testing.assert_allclose(loss(right, tf.where(hits, 50.0, drawn), hits), found, rtol=1e-5)


def test_extreme_scores_stay_finite():
    right, hits = tf.constant([-80.0]), tf.constant([[False, False]])
    drawn = tf.constant([[80.0, 79.0]])
    for each in (
        losses.sampled_softmax(right, drawn, hits, tf.zeros(2)),
        losses.bpr_max(right, drawn, hits, 0.0),
        losses.top1_max(right, drawn, hits),
    ):
        assert np.isfinite(each).all()
    np.testing.assert_allclose(losses.bpr_max(right, drawn, hits, 0.0), [160], rtol=1e-2)


def test_the_corrected_sum_is_that_over_all_items_on_average():
    """What log Q correction is for: without it a popular item would be pushed down the more."""
    items, right = 30, 4
    scores = DRAW.normal(0, 1, items).astype(np.float32)
    negatives = Negatives(DRAW.integers(1, 50, items), 0.75)
    sums = []
    for seed in range(400):
        drawn = negatives.draw(64, tf.constant([seed, 1]))
        loss = losses.sampled_softmax(
            tf.constant(scores[[right]]),
            tf.gather(scores, drawn)[None],
            drawn[None] == right,
            tf.gather(negatives.log_probabilities, drawn) + np.log(64).astype(np.float32),
        )
        sums.append(np.exp(loss.numpy()[0] + scores[right]))
    expected = np.exp(scores).sum()
    error = np.std(sums) / np.sqrt(len(sums))
    assert abs(np.mean(sums) - expected) < 4 * error
    assert error < 0.01 * expected
