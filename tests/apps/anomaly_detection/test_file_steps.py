"""Large files go through the cache, and the memory they take stays that of a block."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from apps import errors
from apps.anomaly_detection import config as configs
from apps.anomaly_detection import file_steps, growing_arrays, table_rows
from tests.apps.anomaly_detection import own_files

ROOT = Path(__file__).resolve().parents[3]
VALUES = np.random.default_rng(0).normal(size=(500, 2)).round(4)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(file_steps, "LARGE_BYTES", 1000)
    return file_steps.cache_folder()


def file(folder, values=VALUES, drop=slice(100, 120)):
    lines = own_files.rows("ts,a,b", own_files.times(len(values)), *values.T).splitlines()
    del lines[drop]
    return own_files.written(folder, "\n".join(lines))


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
    mapped = file_steps.read(path, settings)
    assert isinstance(mapped.steps.values, np.memmap)
    assert not list(cache.rglob("*row_times*"))
    monkeypatch.setattr(file_steps, "LARGE_BYTES", 10**9)
    same(mapped, file_steps.read(path, settings))


def test_a_large_file_is_read_once(tmp_path, cache, monkeypatch):
    path = file(tmp_path)
    first = file_steps.read(path, configs.DataFormatConfig())

    def fail(*arguments):
        raise AssertionError("read again")

    with monkeypatch.context() as patch:
        patch.setattr(table_rows, "read", fail)
        same(first, file_steps.read(path, configs.DataFormatConfig()))
        with pytest.raises(AssertionError, match="read again"):
            file_steps.read(path, configs.DataFormatConfig(step_seconds=600.0))
    assert len(list(cache.iterdir())) == 1


def test_a_changed_file_or_setting_takes_the_place_of_what_was_kept(tmp_path, cache):
    settings = configs.DataFormatConfig()
    file_steps.read(file(tmp_path), settings)
    longer = np.concatenate([VALUES, VALUES])
    assert len(file_steps.read(file(tmp_path, longer), settings).steps.values) == 1000
    hourly = configs.DataFormatConfig(step_seconds=3600.0)
    assert file_steps.read(tmp_path / "mine.csv", hourly).steps.step_seconds == 3600
    assert len(list(cache.iterdir())) == 1


def test_what_a_killed_or_failed_reading_leaves_is_not_taken_for_the_file(tmp_path, cache):
    path = file(tmp_path)
    broken = own_files.written(tmp_path, path.read_text() + "\n2030-01-01,x,1\n", "broken.csv")
    with pytest.raises(errors.UserError, match="a is 'x'"):
        file_steps.read(broken, configs.DataFormatConfig())
    assert not list(cache.iterdir())
    whole = file_steps.read(path, configs.DataFormatConfig())
    (folder,) = cache.iterdir()
    record = folder / "record.json"
    record.write_text(json.dumps({"key": json.loads(record.read_text())["key"]})[:-5])
    same(whole, file_steps.read(path, configs.DataFormatConfig()))


def test_a_copy_to_write_to_leaves_the_cached_file_alone(tmp_path, cache):
    mapped = file_steps.read(file(tmp_path), configs.DataFormatConfig()).steps.values
    copy = growing_arrays.writable_copy(mapped)
    copy[3] = 7
    assert not (mapped[3] == 7).any()
    np.testing.assert_array_equal(np.delete(copy, 3, 0), np.delete(mapped, 3, 0))


_PROGRAM = """
import dataclasses, resource, sys
import numpy as np
import pyarrow.compute, pyarrow.csv, pyarrow.parquet, scipy.signal
import sklearn.decomposition, sklearn.ensemble, statsmodels.tsa.stattools
from apps.anomaly_detection import baselines, config, data, file_steps
from tests.apps.anomaly_detection import own_files

settings = own_files.config(sys.argv[1], window_steps=200)
small = own_files.config(sys.argv[2])
for warm_up in data.batches(data.load(small), small).take(1):
    pass  # TensorFlow starts its threads
file_steps.LARGE_BYTES = 1000
with open("/proc/self/status") as status:
    used = next(int(line.split()[1]) for line in status if line.startswith("VmData")) * 1024
limit = used + int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
collection = data.load(settings)
(one,) = collection.series
assert isinstance(one.values, np.memmap)
for values, observed in data.batches(collection, settings).take(50):
    pass
total = 0
for start in range(0, len(one), 2**16):
    total += int(one.observed[start : start + 2**16].sum())
print(len(one), total)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_many_times_the_memory_is_read_and_trained_on(tmp_path, kind):
    import pyarrow as pa
    from pyarrow import csv, parquet

    allowed = 2**26  # bytes beside what Python, TensorFlow and the others take
    count, columns = 1_500_000, 12
    names = ["ts", *(f"c{at}" for at in range(columns))]
    path = tmp_path / f"large.{kind}"
    schema = pa.schema([(name, pa.int64() if name == "ts" else pa.float64()) for name in names])
    random = np.random.default_rng(0)
    opened = (csv.CSVWriter if kind == "csv" else parquet.ParquetWriter)(path, schema)
    with opened as writer:
        for start in range(0, count, 100_000):
            times = own_files.seconds(count)[start : start + 100_000].astype(np.int64)
            block = random.normal(size=(columns, 100_000)).round(5)
            writer.write_table(pa.table([times, *block], schema))
    small = own_files.written(tmp_path, own_files.rows("a", random.normal(size=300)), "small.csv")
    # As arrays of the steps: values, which of them are observed, times
    assert count * (columns * 5 + 8) > allowed
    if kind == "csv":
        assert path.stat().st_size > 2 * allowed
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(path), str(small), str(allowed)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)},
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.split() == [str(count), str(count * columns)]
