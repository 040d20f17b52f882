import dataclasses

import numpy as np
import pytest

from apps.anomaly_detection import config as configs
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


def settled(many, **model):
    config = configs.Config(
        model=configs.ModelConfig(window_steps=48, **model),
        training=configs.TrainingConfig(burn_in_steps=8),
    )
    return seasons.settle(config, many).model.season_steps


def test_a_forecaster_reads_the_season_of_the_first_column_that_has_one():
    waves = made_series.one(columns=2, season=24)
    noise = np.random.default_rng(1).normal(size=len(waves)).astype(np.float32)
    one = dataclasses.replace(waves, values=np.stack([noise, waves.values[:, 0]], axis=1))
    assert settled(made_series.collection(one)) in (24, 168)
    assert settled(made_series.collection(one), season_steps=5) == 5
    assert settled(made_series.collection(one), season_steps=0) == 0
    assert settled(made_series.collection(one), kind="autoencoder", season_steps=5) == 0


def test_a_week_comes_before_a_day_where_days_differ():
    one = made_series.one(columns=1, season=24)
    weekday = (np.arange(len(one)) // 24) % 7
    values = one.values + (6 * (weekday >= 5))[:, None].astype(np.float32)
    assert seasons.lag(values, 24) == 168
    assert seasons.lag(np.zeros((100, 1)), 0) == 0


def test_without_a_season_or_room_for_it_there_is_none():
    waves = made_series.one(columns=1, season=24)
    noise = np.random.default_rng(0).normal(size=waves.values.shape).astype(np.float32)
    assert settled(made_series.collection(dataclasses.replace(waves, values=noise))) == 0
    short = dataclasses.replace(waves, train_end=60)  # 8 and 48, and no room for more
    assert settled(made_series.collection(short)) == 0
    assert settled(made_series.collection(waves), horizon_steps=30) in (0, 168)
