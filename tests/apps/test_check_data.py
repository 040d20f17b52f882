"""`train --check` reads the data of every task as training does, and writes nothing."""

import dataclasses
import importlib
import re
import time

import pytest

from apps.suite.commands import command
from apps.suite.runs import run_folder
from apps.suite.training import estimate, members
from tests.apps import task_folders


@dataclasses.dataclass(frozen=True)
class Config:
    seed: int = 0


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    """A step or two are enough for an estimate here."""
    monkeypatch.setattr(estimate, "_MOST_STEPS", 1)


@pytest.mark.parametrize("task", task_folders.TASKS)
def test_the_data_is_told_of_and_nothing_is_trained(task, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    train = importlib.import_module(f"apps.{task}.train")
    assert train.main(["--preset", "tiny", "--check"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].endswith("nothing was trained")
    assert re.search(r"^a training takes (about|more than) \d+", said.out, re.MULTILINE), said.out
    assert "can be trained on" in said.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("task", task_folders.TASKS)
def test_data_that_training_refuses_is_refused(task, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_bytes(b"\x00\x01\x02" * 40)
    train = importlib.import_module(f"apps.{task}.train")
    assert train.main(["--preset", "tiny", "--check", "--data", "mine.csv"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.csv"]


def test_after_a_check_a_run_begins_as_ever(tmp_path):
    data = {"name": "a set", "fingerprint": "0"}
    with run_folder.only_checking() as check:
        with run_folder.start(tmp_path / "run", "task", Config(), data) as folder:
            assert folder.path.exists()
        assert not folder.path.exists()
    assert check.data == "a set"
    assert not (tmp_path / "run").exists()
    with run_folder.start(tmp_path / "run", "task", Config(), data):
        assert (tmp_path / "run" / "config.json").exists()


def test_what_the_estimate_lacks_is_told_beside_it(tmp_path, monkeypatch, capsys):
    data = {"name": "a set", "fingerprint": "0"}

    def learn(config, folder):
        run_folder.checking().estimate = "a training takes about 3 s"
        raise run_folder.Checked("a set")

    def train(config, run, *, overwrite=False):
        with run_folder.start(run, "task", Config(), data) as folder:
            members.train(config, folder, 5, learn)

    monkeypatch.chdir(tmp_path)
    assert command.train_command("task", {"default": Config()}, train, ["--check"]) == 0
    said = capsys.readouterr().out.splitlines()
    at = said.index("a training takes about 3 s")
    assert said[at + 1].startswith("5 members are trained one after the other")
    run_folder.takes_longer("outside of a check")
    assert capsys.readouterr().out == ""


def test_a_check_does_not_wait_for_what_is_computed_before_the_first_step(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(run_folder, "_CHECK_SECONDS", 0.1)
    data = {"name": "a set", "fingerprint": "0"}

    def train(config, run, *, overwrite=False):
        with run_folder.start(run, "task", Config(), data):
            time.sleep(60)

    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    assert command.train_command("task", {"default": Config()}, train, ["--check"]) == 0
    assert time.monotonic() - began < 30
    estimate_of_time, last = capsys.readouterr().out.splitlines()
    assert estimate_of_time.startswith("no estimate of the time")
    assert last.startswith("a set can be trained on")
    assert not list(tmp_path.iterdir())
