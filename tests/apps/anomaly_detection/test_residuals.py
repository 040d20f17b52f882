"""Residuals are what a person would find with the network, pencil and paper."""

import numpy as np
import pytest
import tensorflow as tf

from apps.anomaly_detection import detector
from apps.suite.tables import scaling
from tests.apps.anomaly_detection import small_model

SCORED = small_model.SCORED


def residual_stream(made):
    return detector.residual_stream(made.network, made.config)


def filled(one):
    values, _ = scaling.fill_gaps(
        tf.constant(one.values[None]),
        tf.constant(one.observed[None]),
        tf.constant(small_model.MEAN),
        scaling.initial_gap_states(1, small_model.FEATURES),
    )
    return values.numpy()[0]


def scaled(values):
    return (values - small_model.MEAN) / small_model.DEVIATION


def whole(made, one):
    stream = residual_stream(made)
    ahead = stream.advance(
        tf.constant(one.values[None]), tf.constant(one.observed[None]), stream.initial_states(1)
    )
    behind = stream.remaining(ahead[2])
    found = (tf.concat([ahead[at], behind[at]], axis=1).numpy()[0] for at in (0, 1))
    return tuple(each[stream.steps_behind :] for each in found)


@pytest.mark.parametrize(("horizon", "season"), [(1, 0), (4, 0), (4, 7)])
def test_a_forecaster_s_are_against_the_mean_of_all_earlier_predictions(horizon, season):
    made = small_model.trained(horizon_steps=horizon, season_steps=season)
    one = small_model.a_series()
    one.observed[:3, 0] = False  # its first value has no prediction but from the mean
    values = filled(one)
    states = [np.zeros((1, *state.shape[1:]), np.float32) for state in made.network.inputs[2:]]
    predictions, *_ = made.network([values[None], one.observed[None].astype(np.float32), *states])
    predictions = predictions.numpy()[0]
    residuals, valid = whole(made, one)
    assert not valid[0].any()
    seen_before = np.cumsum(one.observed, axis=0) > one.observed
    np.testing.assert_array_equal(valid, (one.observed & seen_before)[:, :SCORED])
    assert (residuals[~valid] == 0).all()
    for step in range(1, len(one)):
        made_before = [predictions[step - h, h - 1] for h in range(1, horizon + 1) if h <= step]
        wanted = scaled(values)[step, :SCORED] - np.mean(made_before, axis=0)
        np.testing.assert_allclose(residuals[step][valid[step]], wanted[valid[step]], atol=1e-5)


@pytest.mark.parametrize("kind", ["encoder_decoder", "autoencoder"])
@pytest.mark.parametrize("stride", [1, 4, 9])
def test_a_window_s_are_against_the_mean_over_all_windows_that_hold_the_step(kind, stride):
    made = small_model.trained(kind=kind, window_steps=9, stride_steps=stride)
    one = small_model.a_series(40)
    values, flags = filled(one), one.observed.astype(np.float32)
    sums, counts = np.zeros((40, SCORED)), np.zeros((40, 1))
    for start in range(0, 40 - 9 + 1, stride):
        part = slice(start, start + 9)
        sums[part] += made.network([values[None, part], flags[None, part]]).numpy()[0]
        counts[part] += 1
    residuals, valid = whole(made, one)
    np.testing.assert_array_equal(valid, one.observed[:, :SCORED] & (counts > 0))
    wanted = scaled(values)[:, :SCORED] - sums / np.maximum(counts, 1)
    np.testing.assert_allclose(residuals, np.where(valid, wanted, 0), atol=1e-5)


@pytest.mark.parametrize("kind", small_model.KINDS)
def test_what_stands_at_missing_places_is_of_no_matter(kind):
    made, one = small_model.trained(**small_model.KINDS[kind]), small_model.a_series()
    expected = whole(made, one)
    one.values[~one.observed] = np.nan
    for found, wanted in zip(whole(made, one), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_an_extreme_value_keeps_its_extreme_residual():
    made, one = small_model.trained(), small_model.a_series(missing=0.0)
    one.values[30] = small_model.MEAN + 500 * small_model.DEVIATION
    assert (whole(made, one)[0][30] > 450).all()


def test_whether_a_value_was_observed_is_known_to_the_network():
    made, one = small_model.trained(), small_model.a_series(missing=0.0)
    before, _ = whole(made, one)
    one.observed[20] = False
    one.values[20] = one.values[19]  # as it is filled in: only the flags differ
    seen = whole(made, small_model.a_series(missing=0.0))
    after, _ = whole(made, one)
    assert np.abs(after[21] - before[21]).max() > 1e-3
    np.testing.assert_array_equal(seen[0], before)
