"""Processes that train together end as one process would, and survive the end of any of them."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.distribution import distribution, workers
from tests.apps import processes, shared_training, small_training

ROOT = pathlib.Path(__file__).parents[4]
TWO = {"cluster": {"worker": ["127.0.0.1:1234", "127.0.0.1:1235"]}}
FIRST = {"type": "worker", "index": 0}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "--distribute multiworker reads TF_CONFIG, which is not set"),
        ("", "--distribute multiworker reads TF_CONFIG, which is not set"),
        ("{worker", "TF_CONFIG is not JSON"),
        ([1], "TF_CONFIG: has no object 'cluster' of workers"),
        ({"task": FIRST}, "TF_CONFIG: has no object 'cluster'"),
        (TWO, "TF_CONFIG: has no object 'task' of this process"),
        ({"cluster": {}, "task": FIRST}, "TF_CONFIG: cluster has no worker"),
        (
            {"cluster": {"ps": ["a:1"], "worker": ["b:1"]}, "task": FIRST},
            "TF_CONFIG: cluster has 'ps'; this training has workers alone",
        ),
        (
            {"cluster": {"worker": "a:1"}, "task": FIRST},
            'TF_CONFIG: cluster.worker must be a list of host:port, is "a:1"',
        ),
        (
            {"cluster": {"worker": ["a:1", "b"]}, "task": FIRST},
            'TF_CONFIG: cluster.worker has "b", which is not host:port',
        ),
        ({"cluster": {"worker": ["a:1", "a:1"]}, "task": FIRST}, "cluster has a:1 twice"),
        (TWO | {"task": {"type": "chief", "index": 0}}, "task.type is 'chief', not worker"),
        (
            TWO | {"task": {"type": "worker", "index": 2}},
            "task.index is 2, but the places of worker are 0 to 1",
        ),
    ],
)
def test_a_cluster_that_cannot_train_is_one_clear_line(monkeypatch, config, message):
    text = config if isinstance(config, str) else json.dumps(config)
    if config is None:
        monkeypatch.delenv("TF_CONFIG", raising=False)
    else:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(errors.UserError) as refused:
        workers.read_cluster()
    assert message in str(refused.value)
    assert '{"type": "worker", "index": 0}' in str(refused.value), "an example to copy"
    assert "\n" not in str(refused.value)


def test_a_chief_comes_before_the_workers(monkeypatch):
    config = {"cluster": {"worker": ["a:1", "b:1"], "chief": ["c:1"]}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config | {"task": {"type": "worker", "index": 1}}))
    assert workers.read_cluster() == workers.Cluster(("c:1", "a:1", "b:1"), 2)


def test_a_command_with_a_broken_cluster_ends_with_2_and_writes_nothing(tmp_path):
    ended = command(tmp_path, ["--distribute", "multiworker"], TF_CONFIG="{")
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: TF_CONFIG is not JSON")
    assert ended.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_rows_that_replicas_cannot_share_evenly_end_it_with_2_and_nothing_written(tmp_path):
    workers = processes.Workers(
        tmp_path / "logs", shared_training.run, tmp_path / "run", "mirrored", 3, count=1
    )
    assert workers.statuses() == [2]
    assert (
        "error: --training.batch_size 4 cannot be shared out evenly over 3 replicas; take a "
        "multiple of 3, such as 3\n"
    ) in workers.log(0)
    assert not (tmp_path / "run").exists()


def command(folder, options, **environment):
    return subprocess.run(
        [sys.executable, "-m", "apps.anomaly_detection.train", "--preset", "tiny", *options],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        timeout=120,
    )


def test_without_a_distribution_there_is_one_chief_and_one_replica():
    assert distribution.is_chief()
    assert distribution.replica_count() == 1
    assert distribution.from_chief(lambda: {"a": [1.5, None]}) == {"a": [1.5, None]}
    with distribution.begun("none", 7), distribution.scope():
        assert distribution.strategy() is None


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    path = tmp_path_factory.mktemp("alone")
    workers = processes.Workers(path, shared_training.run, path, "none", count=1)
    assert workers.statuses() == [0], workers.logs()
    return path


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """What two workers write, and what the second of them opened for writing."""
    path = tmp_path_factory.mktemp("together")
    workers = processes.Workers(path / "logs", _watched, path)
    assert workers.statuses() == [0, 0], workers.logs()
    return path, workers


def _watched(path: pathlib.Path) -> int:
    """Trains, and notes in its own log what this process writes below `path`."""

    def watch(event: str, arguments: tuple) -> None:
        writes = event in ("os.rename", "os.remove")
        if event == "open":
            writes = isinstance(arguments[2], int) and bool(arguments[2] & os.O_ACCMODE)
        if writes and str(arguments[0]).startswith(str(path)):
            os.write(2, f"wrote {arguments[0]}\n".encode())

    small_training.folder_of(path)
    sys.addaudithook(watch)
    return shared_training.run(path, "multiworker")


@pytest.mark.slow
def test_two_workers_end_as_one_process_on_the_same_batches(alone, together):
    path, _ = together
    differences = differences_of(path, alone)
    assert len(differences) > 20
    assert max(differences) < 1e-5
    ours, theirs = ((each / "history.csv").read_text().splitlines() for each in (path, alone))
    assert len(ours) == len(theirs) == 7
    for our_row, their_row in zip(ours[1:], theirs[1:], strict=True):
        numbers = (np.array(row.split(","), float) for row in (our_row, their_row))
        np.testing.assert_allclose(*numbers, atol=1e-5)


@pytest.mark.slow
def test_the_chief_alone_writes_and_prints(together):
    _, workers = together
    assert "checkpoints/" in workers.log(0), "the watch sees what is written"
    assert "wrote" not in workers.log(1)
    assert "step 24 of 24" in workers.log(0)
    assert "multiworker: worker 1 of 2 at 127.0.0.1:" in workers.log(1)
    assert "step" not in workers.log(1)


@pytest.mark.slow
def test_two_devices_of_one_machine_end_as_one(alone, tmp_path):
    workers = processes.Workers(tmp_path, shared_training.run, tmp_path, "mirrored", 2, count=1)
    assert workers.statuses() == [0], workers.logs()
    assert "mirrored: 2 replicas (CPU:0, CPU:1)" in workers.log(0)
    assert max(differences_of(tmp_path, alone)) < 1e-5


@pytest.mark.slow
def test_one_device_is_one_replica_and_says_so(alone, tmp_path):
    workers = processes.Workers(tmp_path, shared_training.run, tmp_path, "mirrored", count=1)
    assert workers.statuses() == [0], workers.logs()
    assert "mirrored: this machine has one device (CPU:0), so there is one replica" in workers.log(
        0
    )
    assert max(differences_of(tmp_path, alone)) < 1e-6


@pytest.mark.slow
def test_killed_at_several_moments_and_started_again_both_end_the_same(together, tmp_path):
    undisturbed, _ = together
    seed = random.randrange(1_000_000)
    moments = random.Random(seed)
    # The chief after a checkpoint, the other while it learns
    chief = processes.Workers(tmp_path, _killed_chief, tmp_path, moments.randint(1, 3))
    assert chief.statuses() == [-signal.SIGKILL, 75], f"seed {seed}\n{chief.logs()}"
    assert lost_line(1) in chief.log(1), chief.logs()
    resumed = processes.Workers(tmp_path, _slow, tmp_path)
    resumed.wait_for(f"step {16:2d} of 24")
    time.sleep(moments.random() * 0.5)
    began = time.monotonic()
    resumed.kill(1)
    assert resumed.statuses() == [75, -signal.SIGKILL], f"seed {seed}\n{resumed.logs()}"
    assert time.monotonic() - began < 60, "nobody waits for ever"
    assert lost_line(0) in resumed.log(0), resumed.logs()
    last = processes.Workers(tmp_path, shared_training.run, tmp_path, "multiworker")
    assert last.statuses() == [0, 0], f"seed {seed}\n{last.logs()}"
    assert "Going on from step" in last.log(0)
    with np.load(tmp_path / "final.npz") as ours, np.load(undisturbed / "final.npz") as theirs:
        for name in theirs.files:
            assert ours[name].tobytes() == theirs[name].tobytes(), f"{name} seed {seed}"
    rows = [(each / "history.csv").read_text() for each in (tmp_path, undisturbed)]
    assert rows[0] == rows[1], f"seed {seed}"


def _killed_chief(path: pathlib.Path, count: int) -> int:
    if json.loads(os.environ["TF_CONFIG"])["task"]["index"] == 0:
        small_training.kill_after_checkpoint(count)
    return shared_training.run(path, "multiworker")


def _slow(path: pathlib.Path) -> int:
    return shared_training.run(path, "multiworker", seconds_a_batch=0.1)


@pytest.mark.slow
def test_a_worker_with_another_seed_ends_all_with_what_differs(tmp_path):
    workers = processes.Workers(tmp_path, _of_different_seeds, tmp_path / "run")
    chief, other = workers.statuses()
    assert other == 2, workers.logs()
    assert "another seed (0, now 1)" in workers.log(1)
    assert chief == 75, workers.logs()


def _of_different_seeds(path: pathlib.Path) -> int:
    return shared_training.begin_run(path, json.loads(os.environ["TF_CONFIG"])["task"]["index"])


def lost_line(index):
    return (
        f"error: worker {index} of 2 has lost another worker, whose own lines say why; start all "
        "of them again by the same commands: they go on from the last checkpoint"
    )


def differences_of(path, reference):
    """The largest difference of each variable and of each of the optimizer's."""
    with np.load(path / "final.npz") as ours, np.load(reference / "final.npz") as theirs:
        return [
            float(np.max(np.abs(ours[name].astype(np.float64) - theirs[name])))
            for name in theirs.files
        ]
