"""Trainings over seeds and values are run once each, go on after a kill, and are compared."""

import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from apps import compare
from apps.suite import errors
from apps.suite.evaluation import repeated_runs
from tests.apps import task_folders

TASK = "apps.anomaly_detection.train"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which training? Give apps.<task>.train and its arguments"),
        (["--seeds", "0", TASK], "--seeds must be at least 1, is 0"),
        (["--over", "model.units", "8", TASK], "--over needs a field and two values"),
        (["--over", "model.units", "8", "8", TASK], "--over names a value twice"),
        (["--over", "model.unit", "8", "9", TASK], "unknown option --model.unit; did you mean"),
        (["--over", "model.units", "8", "many", TASK], "many"),
        (["--over", "model.units", "8..64", TASK], "model.units: a range needs --search N"),
        (["--over", "a", "1", "2", "--over", "b", "1", "2", TASK], "several are for --search N"),
        (["--search", "4", TASK], "--search needs a field to search"),
        (["--search", "0", "--over", "model.units", "8..64", TASK], "must be at least 1, is 0"),
        (["--search", "4", "--over", "model.units", "64..8", TASK], "must be the higher one"),
        (["--search", "4", "--over", "model.units", "8..x", TASK], "a range is two numbers"),
        (["--search", "4", "--over", "model.units", "8..64", "99", TASK], "a range stands alone"),
        (["--search", "4", "--over", "model.unit", "8..64", TASK], "unknown option --model.unit"),
        (["--search", "4", "--over", "model.units", "0..64", TASK], "units must be greater"),
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


def searching(number, *over):
    return compare.Options(search=number, over=over)


RATE = ("training.learning_rate", "1e-4..1e-1")
UNITS = ("model.units", "8", "16", "32")


def standing_in(task, run):
    """Writes what is read of a finished run: its validation is best at a rate of 0.01, 16 units."""
    given = dict(itertools.pairwise(run.arguments))
    rate, units = float(given["--training.learning_rate"]), int(given["--model.units"])
    loss = math.log10(rate / 0.01) ** 2 + abs(math.log2(units / 16))
    record = {
        "task": task, "preset": "tiny", "config": {}, "data": {}, "commit": "", "train_seconds": 1.0
    }  # fmt: skip
    run.folder.mkdir(parents=True)
    (run.folder / "config.json").write_text(json.dumps(record))
    if rate > 0.06:
        return 2  # as a training ends whose loss is no longer finite
    primary = {"name": "score", "higher_is_better": True, "model": loss}  # the test part misleads
    metrics = {"primary": primary, "train_seconds": 1.0, "baselines": {"mean": {"score": 0.0}}}
    (run.folder / "metrics.json").write_text(json.dumps(metrics))
    (run.folder / "history.csv").write_text(f"step,validation_loss\n1,9\n2,{loss}\n")
    (run.folder / "model.keras").write_bytes(b"weights")
    return 0


def test_a_search_goes_by_the_validation_part_and_comes_near_the_best(tmp_path):
    runs = compare.search(searching(25, UNITS, RATE), "tagging", [], tmp_path, standing_in)
    assert len({run.setting for run in runs}) == 25
    found = repeated_runs.read({run.setting: {run.seed: run.folder} for run in runs})
    chosen = repeated_runs.chosen(found)
    units, rate = re.fullmatch(r"units=(\d+) learning_rate=(\S+)", chosen).groups()
    assert units == "16"
    assert 0.005 < float(rate) < 0.02
    later = [run.setting for run in runs[12:]]
    assert sum("units=16" in each for each in later) > len(later) / 2, "proposed by results"
    assert not [run for run in runs if float(run.setting.partition("rate=")[2]) > 0.06]


def test_an_interrupted_search_proposes_what_it_would_have(tmp_path):
    options = searching(12, UNITS, RATE)
    whole = compare.search(options, "tagging", [], tmp_path / "whole", standing_in)
    trained = []

    def killed(task, run):
        if len(trained) == 5:
            raise KeyboardInterrupt
        trained.append(run.setting)
        return standing_in(task, run)

    with pytest.raises(KeyboardInterrupt):
        compare.search(options, "tagging", [], tmp_path / "cut", killed)
    trained.clear()
    cut = compare.search(options, "tagging", [], tmp_path / "cut", standing_in)
    assert [run.setting for run in cut] == [run.setting for run in whole]


def test_a_search_ends_when_its_fields_have_no_more_values(tmp_path):
    over = (("model.units", "8", "16"), ("training.learning_rate", "0.01", "0.02"))
    runs = compare.search(searching(5, *over), "tagging", [], tmp_path, standing_in)
    assert {run.setting for run in runs} == {
        f"units={units} learning_rate={rate}" for units in (8, 16) for rate in (0.01, 0.02)
    }


def test_a_setting_that_the_config_refuses_is_passed_over(tmp_path, capsys):
    over = (
        ("training.steps_per_checkpoint", "40", "77"),
        UNITS,
        ("training.learning_rate", "0.01", "0.02"),
    )
    runs = compare.search(
        searching(4, *over), "tagging", ["--training.steps", "400"], tmp_path, standing_in
    )
    assert runs
    assert all("checkpoint=40" in run.setting for run in runs)
    assert "steps must be a multiple of steps_per_checkpoint" in capsys.readouterr().out


def test_a_training_that_fails_before_it_began_ends_the_search(tmp_path):
    with pytest.raises(errors.UserError, match="ended with status 2"):
        compare.search(searching(3, UNITS, RATE), "tagging", [], tmp_path, lambda task, run: 2)


@pytest.mark.slow
def test_a_search_trains_and_tells_what_validation_chose(tmp_path, capfd):
    options = ["--search", "2", "--over", "model.units", "4..8", "--to", str(tmp_path / "search")]
    assert compare.main([*options, TASK, "--preset", "tiny"]) == 0
    said = capfd.readouterr().out
    assert "(chosen: lowest validation loss)" in said
    (line,) = [line for line in said.splitlines() if line.startswith("chosen: ")]
    assert re.search(r"train --preset tiny --model.units [4-8] --seed 0 --run", line)
    found = json.loads((tmp_path / "search" / "comparison.json").read_text())
    assert found["field"] == "model.units 4..8"
    assert len(found["settings"]) == 2
    assert compare.main([*options, TASK, "--preset", "tiny"]) == 0, "nothing is trained again"
    assert "== " not in capfd.readouterr().out


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
