"""Each task's own training, shared by two workers, is that of one process on the same batches."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from apps.suite.training import checkpoints
from tests.apps import processes, shared_tasks, task_folders

pytestmark = pytest.mark.slow


def text_of(folder):
    file = folder / "text.txt"
    file.write_text("".join(f"line {n} of {n * n % 97} words and {n % 7}\n" for n in range(3000)))
    return str(file)


def config_of(task, folder, **training):
    config = shared_tasks.config_of(task, **training)
    if task == "text_generation":
        config = dataclasses.replace(config, data=text_of(folder))
    return config


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """All tasks, by one process and by two: two starts of TensorFlow instead of ten."""
    folder = tmp_path_factory.mktemp("tasks")
    configs = {task: config_of(task, folder) for task in task_folders.TASKS}
    one = processes.Workers(
        folder / "1", shared_tasks.run, configs, folder / "one", "none", count=1
    )
    assert one.statuses() == [0], one.logs()
    two = processes.Workers(folder / "2", shared_tasks.run, configs, folder / "two", "multiworker")
    assert two.statuses() == [0, 0], two.logs()
    return folder


@pytest.mark.parametrize("task", task_folders.TASKS)
def test_two_workers_end_with_the_weights_of_one(trained, task):
    ours, theirs = (state_of(trained / name / task) for name in ("two", "one"))
    assert_close(ours, theirs)
    files = [sorted(str(file.relative_to(trained / name / task)) for file in
             (trained / name / task).rglob("*") if "tfevents" not in file.name)
             for name in ("one", "two")]  # fmt: skip
    assert files[0] == files[1], "the run folder is that of one process"


def test_rows_that_carry_their_state_through_sessions_end_as_in_one_process(tmp_path):
    config = config_of("recommendation", tmp_path, batches="session_parallel",
                       loss="sampled_softmax")  # fmt: skip
    for name, kind, devices in (("one", "none", 1), ("devices", "mirrored", 2)):
        workers = processes.Workers(
            tmp_path / f"{name} log", shared_tasks.run, {"recommendation": config},
            tmp_path / name, kind, devices, count=1,
        )  # fmt: skip
        assert workers.statuses() == [0], workers.logs()
    ours, theirs = (state_of(tmp_path / name / "recommendation") for name in ("devices", "one"))
    assert any(array.shape == (shared_tasks.BATCH, 16) for array in theirs), "states of all rows"
    assert_close(ours, theirs)


def test_a_run_goes_on_under_another_distribution(trained, tmp_path):
    """Begun by one process, ended by two: the states of the text's rows find their replicas."""
    task = "text_generation"
    before, run = trained / "one" / task, tmp_path / task
    shutil.copytree(before, run)
    (run / "checkpoints" / "00000008.checkpoint").unlink()
    record = json.loads((run / "config.json").read_text())
    del record["train_seconds"]
    (run / "config.json").write_text(json.dumps(record))
    config = config_of(task, tmp_path)
    configs = {task: dataclasses.replace(config, data=str(trained / "text.txt"))}
    two = processes.Workers(tmp_path / "log", shared_tasks.run, configs, tmp_path, "multiworker")
    assert two.statuses() == [0, 0], two.logs()
    assert "Going on from step 4 of 8" in two.log(0)
    assert_close(state_of(run), state_of(before))


def state_of(run):
    _, tree = checkpoints.newest(run / "checkpoints")
    return tree["training"]["variables"]


def assert_close(ours, theirs):
    assert len(ours) == len(theirs) > 5
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
