"""The command that writes ONNX files, up to where a finished run is needed."""

import json
import subprocess
import sys
import time

import pytest

from apps import export_onnx
from tests.apps import task_folders


def test_every_task_says_what_its_network_is():
    for task in task_folders.TASKS:
        assert "onnx_network" in task_folders.functions(task_folders.APPS / task / "export.py"), (
            task
        )


def test_help_answers_at_once_and_imports_nothing_heavy():
    begin = time.perf_counter()
    program = (
        "import sys; from apps import export_onnx; status = export_onnx.main(['--help'])\n"
        "assert not {'tensorflow', 'keras', 'onnx'} & set(sys.modules); sys.exit(status)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=task_folders.ROOT
    )
    assert ended.returncode == 0, ended.stderr
    assert "--run" in ended.stdout
    assert time.perf_counter() - begin < 20  # a second on a machine with nothing else to do


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such run folder"),
        ("{", "config.json"),
        ('{"task": "cooking"}', "task 'cooking' is none of anomaly_detection, "),
        ("{}", "task None is none of"),
        ('{"task": "../text_generation"}', "is none of"),
    ],
)
def test_a_folder_without_a_run_is_one_line_and_status_2(content, told, tmp_path, capsys):
    run = tmp_path / "run"
    if content is not None:
        run.mkdir()
        (run / "config.json").write_text(content)
    assert export_onnx.main(["--run", str(run), "--to", str(tmp_path / "to")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert told in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "to").exists()


def test_an_unfinished_run_is_refused_by_its_task(tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    record = {"task": "text_generation", "preset": "tiny", "config": {}, "data": {}, "commit": ""}
    (run / "config.json").write_text(json.dumps(record))
    assert export_onnx.main(["--run", str(run), "--to", str(tmp_path / "to")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "to").exists()
