"""Normalisers are robust, and no channel that hardly moves can rule a score."""

import numpy as np
import pytest
import tensorflow as tf

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import score_stream


def fitted(*channels, valid=None):
    residuals = np.stack(channels, axis=1).astype(np.float32)
    everywhere = np.ones(residuals.shape, bool) if valid is None else valid
    return score_stream.fit_normaliser(residuals, everywhere)


def test_a_normal_channel_gets_its_mean_and_deviation_whatever_a_few_anomalies_say():
    usual = np.random.default_rng(0).normal(0.3, 0.5, 20_000)
    anomalous = usual.copy()
    anomalous[:50] = 5.0
    for values in (usual, anomalous):
        found = fitted(values)
        np.testing.assert_allclose(found.location, 0.3, atol=0.02)
        np.testing.assert_allclose(found.scale, 0.5, rtol=0.05)


def test_a_switch_whose_residuals_are_mostly_0_keeps_a_scale():
    values = np.zeros(1000)
    values[::50] = 1.0
    assert fitted(values).scale[0] == pytest.approx(0.1 * values.std())


def test_a_constant_channel_and_one_never_observed_have_the_least_scale():
    valid = np.ones((100, 2), bool)
    valid[:, 1] = False
    found = fitted(np.zeros(100), np.full(100, 7.0), valid=valid)
    np.testing.assert_allclose(found.scale, 0.01)
    np.testing.assert_allclose(found.location, 0.0)


def test_steps_that_are_not_valid_do_not_count():
    values = np.random.default_rng(0).normal(size=1000)
    valid = np.ones((1000, 1), bool)
    valid[::2] = False
    spoilt = values.copy()
    spoilt[::2] = 1e6
    for found, wanted in zip(fitted(spoilt, valid=valid), fitted(values, valid=valid), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_missing_channels_leave_the_score_to_the_others():
    stream = score_stream.ScoreStream(
        score_stream.Normaliser(np.zeros(3, np.float32), np.ones(3, np.float32)),
        configs.ScoreConfig(smoothing_steps=1.0),
    )
    residuals = tf.constant([[[3.0, 4.0, 0.0]]])
    scores, contributions, _ = stream.advance(residuals, tf.constant([[[True, True, False]]]), {})
    np.testing.assert_allclose(scores, [[np.sqrt(12.5)]])
    np.testing.assert_allclose(contributions[0, 0], np.sqrt(12.5) * np.array([9, 16, 0]) / 25)


def test_smoothing_holds_over_a_gap_and_a_single_spike_counts_less_than_two():
    stream = score_stream.ScoreStream(
        score_stream.Normaliser(np.zeros(1, np.float32), np.ones(1, np.float32)),
        configs.ScoreConfig(smoothing_steps=4.0),
    )

    def highest(*spikes):
        residuals, valid = np.full((1, 140, 1), 0.1, np.float32), np.ones((1, 140, 1), bool)
        residuals[0, list(spikes)] = 8.0
        valid[0, 121] = False
        residuals[0, 121] = 0.0
        scores, _, _ = stream.advance(
            tf.constant(residuals), tf.constant(valid), stream.initial_states(1)
        )
        assert scores[0, 121] == 0
        return float(tf.reduce_max(scores))

    assert highest(120) < highest(120, 122) < 8.0
    assert highest(120, 122) == pytest.approx(
        highest(119, 120), rel=1e-6
    )  # the gap between is no step
