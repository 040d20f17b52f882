import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import data
from apps.suite import errors
from apps.suite.tables import scaling
from tests.apps.anomaly_detection import made_series, own_files

CONFIG = configs.PRESETS["tiny"]


def steps(collection, config, count, first_step=0):
    return list(data.batches(collection, config, first_step).take(count).as_numpy_iterator())


def test_the_default_is_the_embedded_set_with_faults_in_its_test_part_only():
    collection = data.load(CONFIG)
    (one,) = collection.series
    assert (collection.name, collection.scored_count) == ("half_hourly_demand", 1)
    assert (one.train_end, one.validation_end, len(one)) == (2016, 2688, 4032)
    assert not one.labels[: one.validation_end].any()
    assert one.labels[one.validation_end :].any()
    assert (np.diff(one.times) == 1800).all()
    assert one.observed.all()
    assert "own splits" in collection.split


def test_a_set_of_another_layout_and_a_name_that_is_none_are_refused():
    with pytest.raises(errors.UserError, match="king_james_bible: lacks series, time, values"):
        data.load(dataclasses.replace(CONFIG, data="king_james_bible"))
    with pytest.raises(errors.UserError, match="no such path and no such data set"):
        data.load(dataclasses.replace(CONFIG, data="half_hourly_demnad"))


def test_an_embedded_part_shorter_than_a_window_is_refused():
    model = dataclasses.replace(CONFIG.model, window_steps=2010)
    with pytest.raises(errors.UserError, match="2016 for the train part, which needs 2018"):
        data.load(dataclasses.replace(CONFIG, model=model))


def test_stretches_are_pieces_of_train_parts_and_of_nothing_else():
    # A value tells its series and its place
    many = []
    for at, count in enumerate((100, 400)):
        one = made_series.one(count=count, columns=1)
        values = (1000 * at + np.arange(count, dtype=np.float32))[:, None]
        many.append(dataclasses.replace(one, values=values))
    config = own_files.config("")
    seen = set()
    for values, observed in steps(made_series.collection(*many), config, 200):
        assert values.shape == observed.shape == (4, 10, 1)
        assert values.dtype == np.float32
        assert observed.all()
        assert (np.diff(values[:, :, 0]) == 1).all()
        seen |= {int(value) for value in values.ravel()}
    train = {*range(60), *range(1000, 1240)}
    assert seen <= train
    assert len(seen) > 0.95 * len(train)


def test_a_stream_that_starts_later_continues_the_earlier_one():
    collection = made_series.collection(made_series.one(missing=0.1))
    early = steps(collection, CONFIG, 8)[5:]
    for one, other in zip(early, steps(collection, CONFIG, 3, first_step=5), strict=True):
        for first, second in zip(one, other, strict=True):
            np.testing.assert_array_equal(first, second)
    other_seed = dataclasses.replace(CONFIG, seed=1)
    assert (steps(collection, other_seed, 1)[0][0] != steps(collection, CONFIG, 1)[0][0]).any()


def test_what_is_missing_is_told_with_the_values():
    collection = made_series.collection(made_series.one(missing=0.3))
    ((values, observed),) = steps(collection, CONFIG, 1)
    assert 0.6 < observed.mean() < 0.8
    assert (values[~observed] == 0).all()


def test_a_series_that_is_too_short_gives_no_stretch_and_alone_is_an_error():
    short, long = made_series.one(count=20), made_series.one(count=400)
    assert steps(made_series.collection(short, long), CONFIG, 1)[0][0].shape == (4, 56, 2)
    with pytest.raises(ValueError, match="no series of made has a train part of 56 steps"):
        data.batches(made_series.collection(short), CONFIG)


@pytest.mark.parametrize("in_graph", [False, True])
def test_scaling_is_the_same_by_hand_and_in_a_graph(in_graph):
    values = np.array([[[1.0, np.nan], [5.0, 100.0]]], np.float32)
    scale = tf.function(data.preprocess) if in_graph else data.preprocess
    mean, deviation = tf.constant([1.0, 2.0]), tf.constant([2.0, 4.0])
    found = scale(tf.constant(values), mean, deviation, 10.0)
    np.testing.assert_array_equal(found, [[[0, 0], [2, 10]]])


def test_statistics_are_those_of_what_was_observed_in_train_parts():
    many = [made_series.one(count=count, missing=0.2, seed=count) for count in (300, 500)]
    found = scaling.statistics_of_training(many)
    for column in range(2):
        whole = np.concatenate(
            [
                one.values[: one.train_end, column][one.observed[: one.train_end, column]]
                for one in many
            ]
        )
        np.testing.assert_allclose(found.mean[column], whole.mean(), rtol=1e-6)
        np.testing.assert_allclose(found.deviation[column], whole.std(), rtol=1e-5)
        assert found.counts[column] == len(whole)
        assert (found.least[column], found.greatest[column]) == (whole.min(), whole.max())


def test_statistics_don_t_depend_on_blocks_or_on_a_large_offset(monkeypatch):
    one = made_series.one(count=500)
    far = dataclasses.replace(one, values=one.values + np.float32(1e5))
    whole = scaling.statistics_of_training([far])
    monkeypatch.setattr("apps.suite.tables.large_arrays._MOST_ROWS", 7)
    np.testing.assert_allclose(scaling.statistics_of_training([far]).deviation, whole.deviation)
    exact = far.values[:300].astype(np.float64)
    np.testing.assert_allclose(whole.deviation, exact.std(axis=0), rtol=1e-6)


def test_a_constant_column_has_deviation_one():
    one = made_series.one(count=100)
    one.values[:, 1] = 0.1
    found = scaling.statistics_of_training([one])
    assert found.deviation[1] == 1
    np.testing.assert_allclose(found.mean[1], 0.1, rtol=1e-6)


def settled(many, **model):
    config = configs.Config(
        model=configs.ModelConfig(window_steps=48, **model),
        training=configs.TrainingConfig(burn_in_steps=8),
    )
    return data.with_season(config, many).model.season_steps


def test_a_forecaster_reads_the_season_of_the_first_column_that_has_one():
    waves = made_series.one(columns=2, season=24)
    noise = np.random.default_rng(1).normal(size=len(waves)).astype(np.float32)
    one = dataclasses.replace(waves, values=np.stack([noise, waves.values[:, 0]], axis=1))
    assert settled(made_series.collection(one)) in (24, 168)
    assert settled(made_series.collection(one), season_steps=5) == 5
    assert settled(made_series.collection(one), season_steps=0) == 0
    assert settled(made_series.collection(one), kind="autoencoder", season_steps=5) == 0


def test_without_a_season_or_room_for_it_there_is_none():
    waves = made_series.one(columns=1, season=24)
    noise = np.random.default_rng(0).normal(size=waves.values.shape).astype(np.float32)
    assert settled(made_series.collection(dataclasses.replace(waves, values=noise))) == 0
    short = dataclasses.replace(waves, train_end=60)  # 8 and 48, and no room for more
    assert settled(made_series.collection(short)) == 0
    assert settled(made_series.collection(waves), horizon_steps=30) in (0, 168)
