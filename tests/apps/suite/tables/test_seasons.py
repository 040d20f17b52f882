import numpy as np
import pytest

from apps.suite.tables import seasons
from tests.apps.anomaly_detection import made_series


@pytest.mark.parametrize("season", [7, 24, 100])
@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_a_season_is_found(season, missing):
    one = made_series.one(columns=1, season=season, missing=missing)
    assert seasons.find(one.values[:, 0], one.observed[:, 0]) == season


def test_a_drift_hides_no_season_and_is_none():
    one = made_series.one(columns=1, season=24)
    drift = np.linspace(0, 50, len(one))
    assert seasons.find(one.values[:, 0] + drift, one.observed[:, 0]) == 24
    assert seasons.find(drift, one.observed[:, 0]) == 0


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(size=1000),
        np.random.default_rng(0).normal(size=1000).cumsum(),
        np.full(1000, 3.0),
        np.arange(5.0),
    ],
)
def test_noise_walks_constants_and_short_series_have_none(values):
    assert seasons.find(values, np.ones(len(values), bool)) == 0


def test_a_column_without_a_value_has_none():
    assert seasons.find(np.zeros(100), np.zeros(100, bool)) == 0


def test_a_week_comes_before_a_day_where_days_differ():
    one = made_series.one(columns=1, season=24)
    weekday = (np.arange(len(one)) // 24) % 7
    values = one.values + (6 * (weekday >= 5))[:, None].astype(np.float32)
    assert seasons.lag(values, 24) == 168
    assert seasons.lag(np.zeros((100, 1)), 0) == 0


@pytest.mark.parametrize("count", [300, 3_000])
@pytest.mark.parametrize("seed", range(4))
def test_noise_has_no_season(count, seed):
    random = np.random.default_rng(seed)
    white = random.normal(size=count)
    dying = np.zeros(count)  # an oscillation of three steps that each shock begins anew
    for at in range(2, count):
        dying[at] = -0.7 * dying[at - 1] - 0.6 * dying[at - 2] + white[at]
    for values in (white, white.cumsum(), dying):
        assert seasons.find(values, np.ones(count, bool)) == 0


@pytest.mark.parametrize("steps", [3, 7, 24])
def test_a_short_season_is_found_in_noise(steps):
    random = np.random.default_rng(0)
    values = np.tile(random.normal(size=steps), 400 // steps) * 3
    values += random.normal(size=len(values)) * 0.5
    assert seasons.find(values, np.ones(len(values), bool)) == steps


def test_the_usual_season_is_found_through_a_trend_and_gaps_and_not_in_noise():
    draw = np.random.default_rng(0)
    season = np.array([3.0, -1.0, 0.0, 2.0, -4.0, 0.0])
    steps = np.arange(30)
    values = 0.5 * steps + season[steps % 6] + draw.normal(0, 0.1, 30)
    known = np.ones(30)
    known[[4, 13]] = 0
    found = seasons.profile(
        np.float32(values * known)[None], np.float32(known)[None], 6, 36
    ).numpy()[0]
    np.testing.assert_allclose(found, season[np.arange(36) % 6], atol=0.35)
    noise = np.float32(draw.normal(size=(200, 30)))
    assert np.abs(seasons.profile(noise, np.ones_like(noise), 6, 30)).mean() < 0.25
    short = np.float32(values[None, :8])
    np.testing.assert_array_equal(seasons.profile(short, np.ones_like(short), 6, 14), 0)
