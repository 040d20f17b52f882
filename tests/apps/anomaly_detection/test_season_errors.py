"""Errors of the season are what pencil and paper find: a fault has none a season later."""

import numpy as np
import pytest
import tensorflow as tf

from apps.anomaly_detection import calibration, scoring, season_errors
from apps.suite.tables import series
from tests.apps.anomaly_detection import small_model

KIND = small_model.KINDS["forecaster and season"]
SEASON, SCORED = KIND["season_steps"], small_model.SCORED
LIMITS = (1.0, 0.7)


def made():
    return small_model.trained(**KIND)


def wave(steps=80):
    """A wave of one season, without noise or gaps, in the units of the data."""
    place = np.sin(2 * np.pi * np.arange(steps) / SEASON)[:, None]
    values = (small_model.MEAN + small_model.DEVIATION * place).astype(np.float32)
    one = small_model.a_series(steps, missing=0.0)
    one.values[:] = values
    return one


def by_hand(one):
    """Errors and their validity, step after step."""
    values = (one.values - small_model.MEAN) / small_model.DEVIATION
    errors = np.full((len(one), SCORED), np.nan)
    for channel in range(SCORED):
        usual = {}
        for step in range(len(one)):
            place = step % SEASON
            if not one.observed[step, channel]:
                continue
            value = values[step, channel]
            if place not in usual:
                usual[place] = value
                continue
            error = value - usual[place]
            if step >= SEASON and one.observed[step - SEASON, channel]:
                repeated = value - values[step - SEASON, channel]
                error = repeated if abs(repeated) < abs(error) else error
            errors[step, channel] = error
            if abs(error) <= LIMITS[channel]:
                usual[place] = value
    return errors


@pytest.mark.parametrize("steps", [5, 60, 163])
def test_they_are_the_distance_from_the_nearer_of_the_usual_and_the_last_value(steps):
    one = small_model.a_series(steps, missing=0.2)
    found = scoring.score(made(), one).season_errors
    np.testing.assert_allclose(found, by_hand(one), atol=1e-5)
    assert steps < SEASON or (np.abs(found[np.isfinite(found)]) > max(LIMITS)).any()


def test_a_fault_is_far_off_as_long_as_it_lasts_and_has_no_echo():
    one = wave()
    one.values[40:45, 0] += 3 * small_model.DEVIATION[0]
    found = scoring.score(made(), one).season_errors[:, 0]
    np.testing.assert_allclose(found[40:45], 3, atol=1e-5)
    usual = np.r_[SEASON:40, 45 : len(one)]
    np.testing.assert_allclose(found[usual], 0, atol=1e-5)


def test_what_has_lasted_for_a_season_is_usual():
    one = wave()
    one.values[40:, 0] += 3 * small_model.DEVIATION[0]
    found = scoring.score(made(), one).season_errors[:, 0]
    np.testing.assert_allclose(found[40 : 40 + SEASON], 3, atol=1e-5)
    np.testing.assert_allclose(found[40 + SEASON :], 0, atol=1e-5)


@pytest.mark.parametrize("sizes", [(1, 2, 13, 40), (30, 1, 25)])
def test_chunks_of_all_lengths_are_of_no_matter(sizes):
    trained, one = made(), small_model.a_series(sum(sizes), missing=0.2)
    stream = season_errors.ForecastsAndSeason(trained.network)
    states, parts, start = stream.initial_states(1), [], 0
    for size in sizes:
        part = slice(start, start + size)
        given = (tf.constant(each[None, part]) for each in (one.values, one.observed))
        errors, valid, states = stream.advance(*given, states)
        parts.append(np.where(valid, errors, np.nan)[0, :, SCORED:])
        start += size
    np.testing.assert_allclose(np.concatenate(parts), by_hand(one), atol=1e-5)


def test_scores_join_both_errors_and_are_divided_by_the_level_of_those_before():
    trained, one = made(), small_model.a_series(120, missing=0.1)
    found, normaliser = scoring.score(trained, one), trained.normaliser
    settings = trained.config.score
    forecast = np.abs(found.residuals[:, :SCORED] - normaliser.location[:SCORED])
    forecast /= normaliser.scale[:SCORED]
    season = np.abs(found.season_errors - normaliser.location[SCORED:]) / normaliser.scale[SCORED:]
    mean, highest = normaliser.level
    level, sums, weights = mean, np.zeros(SCORED), np.zeros(SCORED)
    decay, heights = 1 - 1 / settings.smoothing_steps, []
    for step in range(len(one)):
        valid = one.observed[step, :SCORED] & found.valid[step]
        sums = np.where(valid, decay * sums + forecast[step], sums)
        weights = np.where(valid, decay * weights + 1, weights)
        size = sums / np.maximum(weights, 1)
        joined = size**0.4 * season[step] ** 0.6
        size = np.where(np.isfinite(joined), joined, normaliser.alone * size)[valid]
        score = np.sqrt(np.mean(size**2)) if valid.any() else 0.0
        heights.append(max(1, level / mean))
        assert found.scores[step] == pytest.approx(score / heights[-1], rel=1e-3, abs=1e-4)
        if valid.any():
            level += (min(score, highest) - level) / settings.level_steps
    assert max(heights) > 1.2
    np.testing.assert_allclose(found.contributions.sum(axis=1), found.scores, rtol=1e-4, atol=1e-5)


def test_the_calibration_brings_both_errors_and_the_forecast_alone_to_one_height():
    trained, one = made(), small_model.a_series(400, missing=0.1)
    given = series.Collection(
        "small", "none", "here", "0", "in order", small_model.NAMES, SCORED, (one,)
    )
    normaliser, threshold, _ = calibration.fit(trained.network, trained.config, given)
    part = slice(one.train_end, one.validation_end)
    plain = calibration.plain_detector(trained.network, trained.config, SCORED)
    found = scoring.score_spans(plain, [scoring.Span(one, 0, one.validation_end)])[0]
    for channel in range(SCORED):
        errors = found.season_errors[part, channel]
        errors = errors[np.isfinite(errors)]
        assert normaliser.location[SCORED + channel] == pytest.approx(np.median(errors), abs=1e-4)
    assert (normaliser.alone > 0).all()
    assert 0 < normaliser.level[0] < normaliser.level[1]
    assert np.isfinite(threshold.value)
