"""Large files go through the cache, and what is kept there is what was read."""

import json

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.runs import cache as cache_folders
from apps.suite.tables import config as configs
from apps.suite.tables import large_arrays, rows, steps
from tests.apps.anomaly_detection import own_files

VALUES = np.random.default_rng(0).normal(size=(500, 2)).round(4)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_TASKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(steps, "LARGE_BYTES", 1000)
    return cache_folders.folder("series_steps")


def file(folder, values=VALUES, drop=slice(100, 120)):
    lines = own_files.rows("ts,a,b", own_files.times(len(values)), *values.T).splitlines()
    del lines[drop]
    return own_files.written(folder, "\n".join(lines))


def kept_in(cache):
    return [entry for entry in cache.iterdir() if entry.name != ".lock"]


def same(one, other):
    assert one._replace(steps=None) == other._replace(steps=None)
    for first, second in zip(one.steps, other.steps, strict=True):
        assert (first is None) == (second is None)
        if first is not None:
            np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("settings", [{}, {"resample": False}, {"time_column": "none"}])
def test_steps_from_the_disk_are_those_from_memory(tmp_path, cache, monkeypatch, settings):
    if settings.get("time_column"):
        settings = {**settings, "ignored_columns": ("ts",)}
    settings = configs.DataFormatConfig(**settings)
    path = file(tmp_path)
    mapped = steps.read(path, settings)
    assert isinstance(mapped.steps.values, np.memmap)
    assert not list(cache.rglob("*row_times*"))
    monkeypatch.setattr(steps, "LARGE_BYTES", 10**9)
    same(mapped, steps.read(path, settings))


def test_a_large_file_is_read_once(tmp_path, cache, monkeypatch):
    path = file(tmp_path)
    first = steps.read(path, configs.DataFormatConfig())

    def fail(*arguments):
        raise AssertionError("read again")

    with monkeypatch.context() as patch:
        patch.setattr(rows, "read", fail)
        same(first, steps.read(path, configs.DataFormatConfig()))
        with pytest.raises(AssertionError, match="read again"):
            steps.read(path, configs.DataFormatConfig(step_seconds=600.0))
    assert len(kept_in(cache)) == 1


def test_a_changed_file_or_setting_takes_the_place_of_what_was_kept(tmp_path, cache):
    settings = configs.DataFormatConfig()
    steps.read(file(tmp_path), settings)
    longer = np.concatenate([VALUES, VALUES])
    assert len(steps.read(file(tmp_path, longer), settings).steps.values) == 1000
    hourly = configs.DataFormatConfig(step_seconds=3600.0)
    assert steps.read(tmp_path / "mine.csv", hourly).steps.step_seconds == 3600
    assert len(kept_in(cache)) == 1


def test_what_a_killed_or_failed_reading_leaves_is_not_taken_for_the_file(tmp_path, cache):
    path = file(tmp_path)
    broken = own_files.written(tmp_path, path.read_text() + "\n2030-01-01,x,1\n", "broken.csv")
    with pytest.raises(errors.UserError, match="a is 'x'"):
        steps.read(broken, configs.DataFormatConfig())
    assert not kept_in(cache)
    (cache / ".partial-0123456789abcdef").mkdir()
    whole = steps.read(path, configs.DataFormatConfig())
    (folder,) = kept_in(cache)
    record = folder / "record.json"
    record.write_text(json.dumps({"key": json.loads(record.read_text())["key"]})[:-5])
    same(whole, steps.read(path, configs.DataFormatConfig()))


def test_a_copy_to_write_to_leaves_the_cached_file_alone(tmp_path, cache):
    mapped = steps.read(file(tmp_path), configs.DataFormatConfig()).steps.values
    copy = large_arrays.writable_copy(mapped)
    copy[3] = 7
    assert not (mapped[3] == 7).any()
    np.testing.assert_array_equal(np.delete(copy, 3, 0), np.delete(mapped, 3, 0))
