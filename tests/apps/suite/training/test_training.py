"""A training that is killed, starved or stopped ends as one that was left alone."""

import csv
import ctypes
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import time
import zipfile

import h5py
import numpy as np
import pytest

from tests.apps import small_training

# The loss falls, so the first checkpoint stays the best
DENSE = {"recurrent": False, "plateau": False, "higher_is_better": True}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    path = tmp_path_factory.mktemp("uninterrupted")
    assert small_training.run(path) == 0, log_of(path)
    return path


@pytest.fixture(scope="module")
def uninterrupted_dense(tmp_path_factory):
    path = tmp_path_factory.mktemp("uninterrupted_dense")
    assert small_training.run(path, **DENSE) == 0, log_of(path)
    return path


def test_killed_between_its_files_it_ends_the_same(uninterrupted, tmp_path):
    for kill, *arguments in (
        (small_training.kill_before_rename_to, "00000004.checkpoint"),
        (small_training.kill_before_rename_to, "model.keras"),
        (small_training.kill_after_checkpoint, 1),
        (small_training.kill_before_rename_to, "history.csv"),
    ):
        status = small_training.run(tmp_path, kill, *arguments)
        assert status == -signal.SIGKILL, f"{kill.__name__} {arguments}: {log_of(tmp_path)}"
    assert small_training.run(tmp_path) == 0, log_of(tmp_path)
    assert_same_training(tmp_path, uninterrupted)


@pytest.mark.slow
def test_killed_at_any_access_to_its_files_it_ends_the_same(uninterrupted, tmp_path):
    seed = random.randrange(1_000_000)
    moments = random.Random(seed)
    kills = 0
    while status := small_training.run(
        tmp_path, small_training.kill_at_access, tmp_path, moments.randint(25, 45)
    ):
        assert status == -signal.SIGKILL, log_of(tmp_path)
        kills += 1
        assert kills < 20, f"seed {seed}"
    assert kills >= 2, f"seed {seed}"
    assert_same_training(tmp_path, uninterrupted, f"seed {seed}")


def test_killed_at_any_time_and_its_newest_checkpoint_cut_short_it_ends_the_same(
    uninterrupted, tmp_path
):
    child = small_training.start(tmp_path)
    wait_for("step  8 of", tmp_path)
    time.sleep(random.random() * 0.05)
    child.kill()
    child.join()
    newest = max((tmp_path / "checkpoints").glob("[0-9]*.checkpoint"))
    os.truncate(newest, newest.stat().st_size - 1000)
    assert small_training.run(tmp_path) == 0, log_of(tmp_path)
    before = int(newest.stem) - small_training.SETTINGS["steps_per_checkpoint"]
    assert f"{newest} is damaged: going back to the checkpoint before it" in log_of(tmp_path)
    assert f"Going on from step {before} of 24" in log_of(tmp_path)
    assert_same_training(tmp_path, uninterrupted)


def test_killed_before_its_oldest_checkpoint_was_removed_it_ends_the_same(uninterrupted, tmp_path):
    assert small_training.run(tmp_path) == 0, log_of(tmp_path)
    names = sorted(file.name for file in (tmp_path / "checkpoints").glob("[0-9]*.checkpoint"))
    older = tmp_path / "checkpoints" / f"{int(names[0].split('.')[0]) - 4:08d}.checkpoint"
    shutil.copy(tmp_path / "checkpoints" / names[0], older)
    assert small_training.run(tmp_path) == 0, log_of(tmp_path)
    assert_same_training(tmp_path, uninterrupted)


@pytest.mark.slow
def test_killed_under_xla_with_a_learning_rate_schedule_it_ends_the_same(tmp_path):
    settings = {"jit_compile": True, "schedule": True, "plateau": False, "steps": 12}
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    alone.mkdir()
    killed.mkdir()
    assert small_training.run(alone, **settings) == 0, log_of(alone)
    assert "Proceeding with `jit_compile=False`" not in log_of(alone)
    kill = (small_training.kill_before_rename_to, "00000008.checkpoint")
    status = small_training.run(killed, *kill, **settings)
    assert status == -signal.SIGKILL, log_of(killed)
    assert small_training.run(killed, **settings) == 0, log_of(killed)
    assert "Going on from step 4 of 12" in log_of(killed)
    assert_same_training(killed, alone)


def test_control_c_says_how_to_go_on_and_exits_with_130(uninterrupted, tmp_path):
    # Sent by the training to itself, in its second checkpoint: from outside it may come too late.
    interrupt = (small_training.kill_before_rename_to, "00000008.checkpoint", signal.SIGINT)
    assert small_training.run(tmp_path, *interrupt) == 130, log_of(tmp_path)
    last_line = log_of(tmp_path).splitlines()[-1]
    kept = max(int(path.stem) for path in (tmp_path / "checkpoints").glob("[0-9]*"))
    assert last_line == f"Interrupted: the same command goes on from step {kept}."
    assert small_training.run(tmp_path) == 0, log_of(tmp_path)
    assert_same_training(tmp_path, uninterrupted)


def limit_file_size(size_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


def test_without_room_for_the_model_the_checkpoint_stays_and_the_model_comes_later(
    uninterrupted_dense, tmp_path
):
    # a checkpoint of this model takes 8 kB, model.keras 20
    status = small_training.run(tmp_path, limit_file_size, 12_000, **DENSE)
    assert status == 2, log_of(tmp_path)
    assert f"error: {tmp_path / 'model.keras'} cannot be written" in log_of(tmp_path)
    assert "left: 00000004.checkpoint\n" in log_of(tmp_path)
    assert not (tmp_path / "model.keras").exists()
    assert small_training.run(tmp_path, **DENSE) == 0, log_of(tmp_path)
    assert "Going on from step 4 of 24" in log_of(tmp_path)
    assert log_of(tmp_path).count("best so far") == 0, "the best was that of step 4"
    assert_same_training(tmp_path, uninterrupted_dense)


def mount_small_disk(folder: pathlib.Path, size: str) -> None:
    """Gives this process alone a disk of its own at `folder`; exits with 77 if it may not."""
    libc = ctypes.CDLL(None, use_errno=True)
    user_namespace, mount_namespace = 0x10000000, 0x00020000
    user, group = os.getuid(), os.getgid()
    folder.mkdir()
    if libc.unshare(user_namespace | mount_namespace):
        os._exit(77)
    pathlib.Path("/proc/self/setgroups").write_text("deny")
    pathlib.Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    pathlib.Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    if libc.mount(b"none", bytes(folder), b"tmpfs", 0, f"size={size}".encode()):
        os._exit(77)


@pytest.mark.parametrize(
    ("folder", "size", "named", "left"),
    [
        ("checkpoints", "12k", "checkpoints/00000008.checkpoint", "00000004.checkpoint"),
        # TensorFlow writes these by itself; a page of 4 kB holds about 10 of their rows
        ("tensorboard", "4k", "tensorboard", r"\d+.checkpoint \d+.checkpoint"),
    ],
)
def test_a_full_disk_names_what_it_had_no_room_for_and_keeps_the_rest(
    folder, size, named, left, tmp_path
):
    status = small_training.run(
        tmp_path, mount_small_disk, tmp_path / folder, size, **DENSE, steps=120
    )
    if status == 77:
        pytest.skip("this system lets no user mount a disk")
    assert status == 2, log_of(tmp_path)
    assert f"error: {tmp_path / named} cannot be written: the disk is full" in log_of(tmp_path)
    assert re.search(f"^left: {left}$", log_of(tmp_path), re.MULTILINE), log_of(tmp_path)


def test_weights_do_not_depend_on_how_often_it_is_kept(uninterrupted_dense, tmp_path):
    assert small_training.run(tmp_path, steps_per_checkpoint=12, **DENSE) == 0, log_of(tmp_path)
    assert_same_arrays(tmp_path, uninterrupted_dense)
    assert [row["step"] for row in history_of(tmp_path)] == ["12", "24"]


def test_patience_stops_it_and_it_stays_stopped(tmp_path):
    settings = {**DENSE, "higher_is_better": False, "patience_checkpoints": 2}
    settings |= {"learning_rate": 20.0, "steps": 80}
    assert small_training.run(tmp_path, **settings) == 0, log_of(tmp_path)
    rows, log = history_of(tmp_path), log_of(tmp_path)
    losses = [float(row["validation_loss"]) for row in rows]
    assert len(rows) < 20
    assert losses.index(min(losses)) == len(rows) - 3, "two checkpoints after the best"
    assert f"Stopped early: the best checkpoint is that of step {rows[-3]['step']}" in log
    final = (tmp_path / "final.npz").read_bytes()
    (tmp_path / "final.npz").unlink()
    assert small_training.run(tmp_path, **settings) == 0
    assert (tmp_path / "final.npz").read_bytes() == final
    assert history_of(tmp_path) == rows


def test_a_loss_that_is_no_number_ends_it_with_advice(tmp_path):
    assert small_training.run(tmp_path, learning_rate=1e30, **DENSE) == 2
    assert re.search(
        r"error: .*history.csv: the training loss is nan at step \d+: .*smaller learning rate",
        log_of(tmp_path),
    )


def attach_terminal(device: str) -> None:
    os.dup2(os.open(device, os.O_RDWR), 1)


def test_a_terminal_shows_a_live_line_and_keeps_the_checkpoints_lines(tmp_path):
    ours, theirs = os.openpty()
    status = small_training.run(
        tmp_path, attach_terminal, os.ttyname(theirs), steps=8, jit_compile=True, **DENSE
    )
    seen = os.read(ours, 100_000).decode()
    os.close(ours)
    os.close(theirs)
    assert status == 0, log_of(tmp_path)
    assert re.search(r"\x1b\[2Kstep 1 of 8  loss [\d.]+  [\d.]+ steps/s\r\x1b\[2K", seen), seen
    assert re.search(r"\x1b\[2Kstep 4 of 8  loss .* left  \(best so far\)\r\n", seen), seen
    assert log_of(tmp_path).count("step") == 0


class Nowhere:
    """A folder that must not be written to."""

    checkpoints = history_file = tensorboard = pathlib.Path("/nowhere")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 10, "steps_per_checkpoint": 4}, r"steps \(10\) must be a multiple"),
        ({"steps": 0, "steps_per_checkpoint": 4}, r"steps \(0\) must be a multiple"),
        ({"steps": 9, "steps_per_checkpoint": 3}, r"steps_per_execution \(2\)"),
    ],
)
def test_arguments_that_do_not_fit_together_are_refused(settings, message):
    import keras

    from apps.suite.training import fit

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=2)
    with pytest.raises(ValueError, match=message):
        fit.fit(
            model, small_training.batches, folder=Nowhere(), save_best=lambda best: None, **settings
        )


def test_a_stream_that_ends_is_an_error_not_a_short_training(tmp_path):
    import keras
    import tensorflow as tf

    from apps.suite.training import fit

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    ending = tf.data.Dataset.from_tensors((tf.ones((2, 1)), tf.ones((2, 1)))).repeat(3)
    with pytest.raises(tf.errors.FailedPreconditionError, match="infinite"):
        fit.fit(
            model,
            lambda first_step: ending,
            steps=4,
            steps_per_checkpoint=4,
            folder=small_training.folder_of(tmp_path),
            save_best=lambda best: None,
        )
    assert not list((tmp_path / "checkpoints").iterdir())


def log_of(path: pathlib.Path) -> str:
    return (path / "log.txt").read_text()


def history_of(path: pathlib.Path) -> list[dict[str, str]]:
    with (path / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def wait_for(text: str, path: pathlib.Path) -> None:
    deadline = time.monotonic() + 600
    while not (path / "log.txt").exists() or text not in log_of(path):
        assert time.monotonic() < deadline, log_of(path)
        time.sleep(0.002)


def assert_same_training(path: pathlib.Path, reference: pathlib.Path, note: str = "") -> None:
    """Every bit of the variables and the optimizer, the history and the best model's weights."""
    assert_same_arrays(path, reference, note)
    assert history_of(path) == history_of(reference), note
    assert len(history_of(path)) >= 3
    assert saved_weights(path) == saved_weights(reference), note
    left = [file.name for file in (path / "checkpoints").glob("[0-9]*")]
    assert sorted(left) == sorted(f.name for f in (reference / "checkpoints").iterdir()), note


def assert_same_arrays(path: pathlib.Path, reference: pathlib.Path, note: str = "") -> None:
    with np.load(path / "final.npz") as ours, np.load(reference / "final.npz") as theirs:
        assert len(theirs.files) > 10
        for name in theirs.files:
            assert ours[name].tobytes() == theirs[name].tobytes(), f"{name} {note}"


def saved_weights(path: pathlib.Path) -> dict[str, bytes]:
    weights: dict[str, bytes] = {}

    def take(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            weights[name] = np.asarray(item).tobytes()

    with (
        zipfile.ZipFile(path / "model.keras") as archive,
        archive.open("model.weights.h5") as inner,
        h5py.File(inner) as file,
    ):
        file["layers"].visititems(take)
    assert len(weights) >= 3
    return weights
