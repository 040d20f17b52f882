"""Ray starts a training on several workers, and starts it again when one of them is killed."""

import importlib.util
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from apps import launch

ROOT = pathlib.Path(__file__).parents[2]
TASK = "apps.anomaly_detection.train"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which training? Give apps.<task>.train and its arguments"),
        (["--workers", "0", TASK], "--workers must be at least 1, is 0"),
        (["--cpus", "0", TASK], "--cpus must be above 0, is 0"),
        (["--worker", "2", TASK], "unknown option --worker; did you mean --workers?"),
        (["apps.nothing.train"], "apps.nothing.train: no such task; `python -m apps` lists them"),
        (["apps.serve"], "apps.serve: not a training; give apps.<task>.train"),
        ([TASK, "--model.unit", "3"], "unknown option --model.unit; did you mean --model.units?"),
        ([TASK, "--distribute", "mirrored"], "--distribute is set by apps.launch; leave it out"),
        (
            ["--workers", "3", TASK, "--preset", "tiny"],
            "--training.batch_size 4 cannot be shared out evenly over 3 replicas",
        ),
    ],
)
def test_what_cannot_be_launched_is_one_line_before_ray_is_asked(
    arguments, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert launch.main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_without_ray_it_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert launch.main([TASK, "--preset", "tiny"]) == 2
    assert "pip install 'lstm-task-templates[ray]'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray, an extra, is missing")
def test_a_killed_worker_is_started_again_and_the_run_ends_whole(tmp_path):
    run, log = tmp_path / "run", tmp_path / "log.txt"
    arguments = ["--preset", "tiny", "--run", str(run)]
    arguments += ["--training.steps", "200", "--training.steps_per_checkpoint", "20"]
    with log.open("w") as output:
        launched = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "apps.launch",
                "--workers",
                "2",
                "--cpus",
                "0.5",
                TASK,
                *arguments,
            ],
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 300
        while not list((run / "checkpoints").glob("*.checkpoint")):
            assert launched.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        os.kill(int((run / ".lock").read_text()), signal.SIGKILL)  # the chief
        assert launched.wait(400) == 0, log.read_text()
    finally:
        if launched.poll() is None:
            os.killpg(launched.pid, signal.SIGINT)
            launched.wait(60)
    said = log.read_text()
    assert said.count("the chief; waiting for all") == 2, said
    assert "Going on from step" in said
    assert "step 200 of 200" in said
    assert "silent" in said
    assert (run / "report.html").is_file()
    assert (run / "metrics.json").is_file()
