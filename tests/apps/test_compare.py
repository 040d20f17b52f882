"""Trainings over seeds and values are run once each, go on after a kill, and are compared."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from apps import compare
from tests.apps import task_folders

TASK = "apps.anomaly_detection.train"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which training? Give apps.<task>.train and its arguments"),
        (["--seeds", "0", TASK], "--seeds must be at least 1, is 0"),
        (["--over", "model.units", "8", TASK], "--over needs a field and two values at least"),
        (["--over", "model.units", "8", "8", TASK], "--over names a value twice"),
        (["--over", "model.unit", "8", "9", TASK], "unknown option --model.unit; did you mean"),
        (["--over", "model.units", "8", "many", TASK], "many"),
        (["apps.nothing.train"], "nothing: no such task; `python -m apps` lists them"),
        (["apps.serve"], "apps.serve: not a training; give apps.<task>.train"),
        ([TASK, "--seed", "3"], "--seed is set by apps.compare; leave it out"),
        ([TASK, "--run=here"], "--run=here is set by apps.compare; leave it out"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_nothing_is_written(
    arguments, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert compare.main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_of_another_comparison_and_of_other_files_is_refused(tmp_path, capsys):
    (tmp_path / "comparison.json").write_text(
        json.dumps({"task": "anomaly_detection", "arguments": ["--preset", "tiny"], "field": ""})
    )
    assert compare.main(["--to", str(tmp_path), TASK, "--preset", "default"]) == 2
    assert "holds a comparison with arguments" in capsys.readouterr().err
    (tmp_path / "comparison.json").rename(tmp_path / "mine.json")
    assert compare.main(["--to", str(tmp_path), TASK]) == 2
    assert "has other files in it" in capsys.readouterr().err


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_and_trains_nothing_twice(tmp_path, capfd):
    given = ["--to", str(tmp_path / "seen"), TASK, "--preset", "tiny"]
    seeds = tmp_path / "seen" / "runs" / "anomaly_detection"
    job = subprocess.Popen(
        [sys.executable, "-m", "apps.compare", "--seeds", "2", *given],
        env={**os.environ, "PYTHONPATH": str(task_folders.ROOT)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while not (seeds / "seed_1").exists():
        assert job.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    first = (seeds / "seed_0" / "metrics.json").stat().st_mtime_ns
    assert compare.main(["--seeds", "2", *given]) == 0
    said = capfd.readouterr().out
    assert "1 of 2 runs are there" in said
    assert "| anomaly_detection" in said
    assert (seeds / "seed_0" / "metrics.json").stat().st_mtime_ns == first
    record = json.loads((tmp_path / "seen" / "comparison.json").read_text())
    assert record["settings"][0]["test"].keys() == {"0", "1"}
    assert {"comparison.md", "comparison.png", "comparison-dark.png"} <= {
        file.name for file in (tmp_path / "seen").iterdir()
    }
    assert compare.main(["--seeds", "2", *given]) == 0
    assert "2 of 2 runs are there" in capfd.readouterr().out
