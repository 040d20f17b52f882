"""Every task's `predict` asks a run, its export or a server, and tells the same.

The inputs come from each task's `tests/apps/<task>/small_inputs.py`.
"""

import dataclasses
import importlib
import json
import typing

import pytest

from apps.suite.commands import asked_model
from apps.suite.serving import server as model_server
from tests.apps import task_folders

every_task = pytest.mark.parametrize("task", task_folders.TASKS)


@every_task
def test_the_options_that_say_whom_to_ask_are_the_same_in_every_task(task):
    options = importlib.import_module(f"apps.{task}.predict").Options
    fields = {field.name: field.default for field in dataclasses.fields(options)}
    assert "json" in fields
    assert (fields["run"].name, fields["model"], fields["server"]) == (task, None, "")
    declared = typing.get_type_hints(options, include_extras=True)
    assert declared["run"] == asked_model.Run
    assert declared["model"] == asked_model.Export
    assert declared["server"] == asked_model.Server


@every_task
def test_an_export_and_a_server_together_are_one_line(task, tmp_path, capsys):
    predict = importlib.import_module(f"apps.{task}.predict")
    asked = _arguments(task, tmp_path)
    assert predict.main([*asked, "--model", "1", "--server", "localhost:1"]) == 2
    told = capsys.readouterr().err
    assert "--model" in told
    assert "--server" in told
    assert told.count("\n") == 1


@pytest.fixture(scope="module")
def served(small_exports):
    options = model_server.Options(models=small_exports / "all", rest_port=0, grpc_port=0)
    with model_server.serving(options) as serving:
        yield serving


@pytest.mark.slow
@every_task
def test_a_run_its_export_and_a_server_tell_the_same(task, small_exports, served, tmp_path, capsys):
    asked = [*_arguments(task, tmp_path), "--json"]
    predict = importlib.import_module(f"apps.{task}.predict")

    def told(*source):
        assert predict.main([*asked, *map(str, source)]) == 0, capsys.readouterr().err
        lines = capsys.readouterr().out.splitlines()
        assert lines
        return [json.loads(line) for line in lines]

    of_run = told("--run", small_exports / "runs" / task)
    for source in (
        ("--model", small_exports / "all" / task / "1"),
        ("--server", f"127.0.0.1:{served.grpc_port}"),
        ("--server", f"http://127.0.0.1:{served.rest_port}"),
    ):
        assert told(*source) == _close(of_run), source


@pytest.mark.slow
@every_task
def test_a_damaged_export_is_one_line(task, small_exports, tmp_path, capsys):
    whole, broken = small_exports / "all" / task / "1", tmp_path / "1"
    (broken / "assets").mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes((whole / "saved_model.pb").read_bytes()[:1000])
    (broken / "assets" / "settings.json").write_text("{}")
    predict = importlib.import_module(f"apps.{task}.predict")
    asked = _arguments(task, tmp_path)
    assert predict.main([*asked, "--model", str(broken)]) == 2
    out, err = capsys.readouterr()
    *notes, last = err.splitlines()  # notes name the files of a folder that are not read
    assert (out, [note for note in notes if "not read" not in note]) == ("", [])
    assert "export the run again" in last


def _arguments(task, folder):
    return importlib.import_module(f"tests.apps.{task}.small_inputs").arguments(folder)


def _close(value):
    """The same, with tolerance for floats: a run and its export may differ in the last bits."""
    if isinstance(value, float):
        return pytest.approx(value, abs=2e-4, rel=1e-4)
    if isinstance(value, list):
        return [_close(each) for each in value]
    if isinstance(value, dict):
        return {name: _close(each) for name, each in value.items()}
    return value
