"""Files much larger than what a process may take are read, trained on and scored.

The limit is the system's own, RLIMIT_DATA: beyond it every request for memory fails. Mapped files
don't count, as the system drops their pages when it needs to.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.apps.anomaly_detection import own_files

ROOT = Path(__file__).resolve().parents[3]
STATUS = Path("/proc/self/status")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not STATUS.exists(), reason="needs Linux's /proc"),
]

_LIMIT = """
import pathlib, resource, sys
import numpy as np
from apps.anomaly_detection import data, scoring, train
from apps.suite.tables import large_arrays, steps
from tests.apps.anomaly_detection import own_files

small, large, run = map(pathlib.Path, sys.argv[1:4])


def limit_memory():
    # What Python and its libraries take by now, and sys.argv[4] bytes
    with open("/proc/self/status") as status:
        used = next(int(line.split()[1]) for line in status if line.startswith("VmData")) * 1024
    limit = used + int(sys.argv[4])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    steps.LARGE_BYTES = scoring.MOST_NUMBERS = 1000
"""

READ = """
settings = own_files.config(small)
for batch in data.batches(data.load(settings), settings).take(1):
    pass  # TensorFlow starts its threads
limit_memory()
settings = own_files.config(large, window_steps=200)
collection = data.load(settings)
(one,) = collection.series
assert isinstance(one.values, np.memmap)
for batch in data.batches(collection, settings).take(50):
    pass
blocks = large_arrays.blocks(*one.observed.shape)
print(len(one), sum(int(one.observed[block].sum()) for block in blocks))
"""

TRAIN = """
fractions = {"validation_fraction": 0.05, "test_fraction": 0.05}
train.train(own_files.config(small, **fractions), run / "small")  # all libraries are there now
limit_memory()
train.train(own_files.config(large, **fractions), run / "large")
"""


def written(path, count, columns):
    """A table of so many steps of five minutes, in csv or parquet by the name."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    names = ["ts", *(f"c{at}" for at in range(columns))]
    schema = pa.schema([(name, pa.int64() if name == "ts" else pa.float32()) for name in names])
    random = np.random.default_rng(0)
    times = own_files.seconds(count).astype(np.int64)
    rows = 2_000_000 // columns
    opened = csv.CSVWriter if path.suffix == ".csv" else parquet.ParquetWriter
    with opened(path, schema) as writer:
        for start in range(0, count, rows):
            part = times[start : start + rows]
            values = random.integers(-999, 999, (columns, len(part))).astype(np.float32) / 100
            writer.write_table(pa.table([part, *values], schema))
    return path


def small_stacks():
    # The stack of a thread counts as data, and how many threads pyarrow and TensorFlow start
    # depends on how busy the machine is.
    resource.setrlimit(resource.RLIMIT_STACK, (2**20, resource.getrlimit(resource.RLIMIT_STACK)[1]))


def ended(program, folder, small, large, allowed):
    arguments = [small, large, folder / "runs", allowed]
    finished = subprocess.run(
        [sys.executable, "-c", _LIMIT + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "LSTM_TASKS_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)},
        preexec_fn=small_stacks,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_reading_and_drawing_batches_take_the_memory_of_a_block(tmp_path, kind):
    allowed, count, columns = 2**26, 1_500_000, 12
    large = written(tmp_path / f"large.{kind}", count, columns)
    assert count * (4 + 1) * columns > allowed  # values, and which of them are observed
    small = written(tmp_path / "small.csv", 300, 2)
    output = ended(READ, tmp_path, small, large, allowed)
    assert output.split() == [str(count), str(count * columns)]


def test_training_and_evaluation_take_the_memory_of_some_blocks(tmp_path):
    allowed, count, columns = 230_000_000, 400_000, 100
    large = written(tmp_path / "large.parquet", count, columns)
    assert count * (4 + 1 + 4) * columns > 1.5 * allowed  # values, observed, contributions
    small = written(tmp_path / "small.parquet", 3_000, columns)
    output = ended(TRAIN, tmp_path, small, large, allowed)
    assert "scoring 400,000 steps" in output
    assert (tmp_path / "runs" / "large" / "report.html").is_file()
