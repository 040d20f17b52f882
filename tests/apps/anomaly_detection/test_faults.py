import dataclasses
import itertools

import numpy as np
import pytest

from apps.anomaly_detection import labels
from apps.suite.data import named_sets
from apps.suite.tables import scaling
from tests.apps.anomaly_detection import made_series, own_files


def injected(*many, count=7, seed=0, scored_count=None):
    collection = made_series.collection(*many, scored_count=scored_count)
    deviations = scaling.statistics_of_training(many).deviation
    return labels.injected(collection, deviations, count, seed)


def test_faults_change_the_test_part_where_they_are_labelled_and_nothing_else():
    one = made_series.one(count=3000)
    before = one.values.copy()
    found = injected(one).series[0]
    changed = (found.values != before).any(axis=1)
    assert not found.labels[: one.validation_end].any()
    assert not (changed & ~found.labels).any()
    assert changed[found.labels].mean() > 0.9
    assert np.count_nonzero(np.diff(found.labels.astype(int)) == 1) == 7
    np.testing.assert_array_equal(one.values, before)


def test_series_with_labels_stay_as_they_are():
    one = made_series.one(count=3000)
    labelled = dataclasses.replace(one, labels=np.zeros(3000, bool))
    collection = injected(labelled, one)
    assert collection.series[0] is labelled
    assert collection.series[1].labels.any()
    assert "7 faults were made into test parts" in collection.notes[0]
    assert not injected(labelled).notes


def test_columns_that_are_only_read_and_missing_values_stay():
    one = made_series.one(count=3000, columns=3, missing=0.2)
    found = injected(one, scored_count=1).series[0]
    np.testing.assert_array_equal(found.values[:, 1:], one.values[:, 1:])
    assert (found.values[~found.observed] == 0).all()


def test_the_seed_decides_where_faults_are():
    one = made_series.one(count=3000)
    first, again, other = (injected(one, seed=seed).series[0].labels for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_there_are_no_more_faults_than_there_is_room_for():
    labels = injected(made_series.one(count=1200), count=100).series[0].labels
    assert 0 < np.count_nonzero(np.diff(labels.astype(int)) == 1) <= 240 * 2 // (3 * 24)
    make = named_sets.prepare("half_hourly_demand").inject
    assert make(np.zeros((60, 1)), [1.0], 48, 3, 0) == []


def test_own_data_without_labels_gets_faults_where_the_config_says_so(tmp_path):
    values = made_series.one(count=1500).values
    text = own_files.rows("a,b", *values.T)
    file = own_files.written(tmp_path, text)
    assert own_files.load(file).series[0].labels is None
    one = own_files.load(file, injected_faults=5).series[0]
    assert one.labels.any()


@pytest.mark.parametrize("season", [4, 48])
def test_each_kind_comes_as_often_as_any_other(season):
    builder = named_sets.prepare("half_hourly_demand")
    values = np.random.default_rng(0).normal(size=(3000, 2))
    made = builder.inject(values, [1.0, 1.0], season, 21, 0)
    kinds = [fault.kind for fault in made]
    assert {kinds.count(kind) for kind in kinds} == {3}
    assert len(set(kinds)) == 7
    assert all(one.end <= other.start for one, other in itertools.pairwise(made))
