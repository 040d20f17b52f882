"""Rows at any times become even steps; gaps stay gaps."""

from pathlib import Path

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.tables import config as configs
from apps.suite.tables import large_arrays
from apps.suite.tables import rows as table_rows
from apps.suite.tables import steps as resampling
from tests.apps.anomaly_detection import own_files

SECOND = 1_000_000


def steps(times, values=None, labels=None, parts=None, **settings):
    times = np.asarray(times)
    values = np.arange(len(times)) if values is None else np.asarray(values, float)
    values = values.reshape(len(times), -1).astype(np.float32)
    rows = table_rows.Rows(
        times=(times * SECOND).round().astype(np.int64),
        values=np.nan_to_num(values),
        observed=~np.isnan(values),
        labels=None if labels is None else np.asarray(labels, bool),
        parts=None if parts is None else np.asarray(parts, np.int8),
    )
    return resampling.to_steps(
        rows,
        configs.DataFormatConfig(**settings),
        Path("mine.csv"),
        lambda name, dtype, columns: large_arrays.GrowingArray(dtype, columns),
    )


def test_even_rows_stay_as_they_are():
    found = steps([100, 160, 220, 280], [[1, 2], [3, np.nan], [5, 6], [7, 8]])
    assert found.step_seconds == 60
    np.testing.assert_array_equal(found.times, [100, 160, 220, 280])
    np.testing.assert_array_equal(found.values, [[1, 2], [3, 0], [5, 6], [7, 8]])
    np.testing.assert_array_equal(found.observed.sum(axis=0), [4, 3])


def test_a_gap_is_missing_steps_and_nothing_is_filled_in():
    found = steps([0, 10, 20, 60, 70], [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(found.times, np.arange(8) * 10)
    np.testing.assert_array_equal(found.values[:, 0], [1, 2, 3, 0, 0, 0, 4, 5])
    np.testing.assert_array_equal(found.observed[:, 0], [1, 1, 1, 0, 0, 0, 1, 1])


def test_a_step_is_the_mean_of_what_was_observed_in_it_by_column():
    found = steps(
        [0, 4, 10, 11, 20], [[1, 1], [3, np.nan], [5, 5], [7, 6], [9, 9]], step_seconds=10
    )
    np.testing.assert_array_equal(found.values, [[2, 1], [6, 5.5], [9, 9]])
    assert found.observed.all()


def test_rows_that_shake_about_their_times_are_steps_still():
    even = np.arange(500) * 300
    shaken = even + np.random.default_rng(0).uniform(-100, 100, 500).round()
    shaken[0] = 0
    found = steps(shaken, step_seconds=300)
    np.testing.assert_array_equal(found.times, even)
    np.testing.assert_array_equal(found.values[:, 0], np.arange(500))


def test_the_step_is_the_median_spacing_below_a_second_too():
    found = steps([0.0, 0.01, 0.02, 0.03, 0.05])
    assert found.step_seconds == 0.01
    np.testing.assert_allclose(found.times, np.arange(6) * 0.01)


@pytest.mark.parametrize("block_rows", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("duplicate_times", ["mean", "last"])
def test_the_blocks_that_rows_are_read_in_change_nothing(monkeypatch, block_rows, duplicate_times):
    random = np.random.default_rng(1)
    times = np.sort(random.integers(0, 400, 60)).astype(float)
    values = np.where(random.random((60, 2)) < 0.2, np.nan, random.normal(size=(60, 2)))
    labels = random.random(60) < 0.1
    parts = np.arange(60) // 25
    settings = {"step_seconds": 5.0, "duplicate_times": duplicate_times}
    whole = steps(times, values, labels, parts, **settings)
    monkeypatch.setattr(large_arrays, "_MOST_ROWS", block_rows)
    blocks = steps(times, values, labels, parts, **settings)
    for one, other in zip(whole, blocks, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)
    assert len(whole.values) == len(whole.times) == round((times[-1] - times[0]) / 5) + 1
    assert (np.diff(whole.parts) >= 0).all()


def test_of_rows_at_one_time_the_mean_or_the_last_is_taken():
    times, values = [0, 10, 10, 10, 20], [1, 2, 3, 7, 5]
    assert steps(times, values, duplicate_times="mean").values[:, 0].tolist() == [1, 4, 5]
    assert steps(times, values, duplicate_times="last").values[:, 0].tolist() == [1, 7, 5]


def test_a_step_is_an_anomaly_if_one_of_its_rows_is():
    found = steps([0, 1, 10, 11, 30], labels=[0, 1, 0, 0, 1], step_seconds=10)
    np.testing.assert_array_equal(found.labels, [1, 0, 0, 1])


def test_without_resampling_each_row_is_a_step_in_whatever_order():
    found = steps([0, 10, 10, 500, 7], [1, 2, 3, 4, 5], resample=False)
    np.testing.assert_array_equal(found.values[:, 0], [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(found.times, [0, 10, 10, 500, 7])
    assert found.dated


def test_times_too_uneven_to_be_steps_are_refused():
    with pytest.raises(errors.UserError, match=r"mine\.csv: 4 rows over .* steps of 1 seconds"):
        steps([0, 1, 2, 1e6])


@pytest.mark.parametrize("block", [2, 1000])
def test_a_label_lasts_through_steps_without_a_row(tmp_path, monkeypatch, block):
    """Events are counted in rows, however many seconds are missing."""
    monkeypatch.setattr(large_arrays, "_MOST_ROWS", block)
    random = np.random.default_rng(0)
    kept = np.sort(random.choice(np.arange(1, 200), 120, replace=False))
    kept = np.r_[0, 1, kept[kept > 1], 200]
    labels = (kept // 20) % 2
    times = np.array(own_files.times(201, 1))[kept]
    text = own_files.rows("time,a,label", times, random.normal(size=len(kept)), labels)
    (one,) = own_files.load(own_files.written(tmp_path, text)).series
    assert len(one) == 201
    events = np.count_nonzero(np.diff(one.labels.astype(int)) == 1)
    assert events == np.count_nonzero(np.diff(labels) == 1) == 5
    np.testing.assert_array_equal(one.labels[kept], labels)
