import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from apps import __main__ as listing
from apps.suite.commands import command
from tests.apps import task_folders

METRICS = {
    "preset": "tiny",
    "seed": 3,
    "data": {"name": "a_set"},
    "primary": {
        "name": "nats_a_character",
        "higher_is_better": False,
        "model": 1.23456,
        "baseline": {"name": "4-gram", "value": 2.0},
    },
}


def test_every_folder_that_trains_is_listed_on_a_line_of_its_own(capsys, tmp_path):
    folders = {file.parent.name for file in Path(listing.__file__).parent.glob("*/train.py")}
    assert set(listing.tasks()) == folders
    assert listing.main(["--runs", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in lines] == sorted(folders)


def test_a_task_that_was_trained_shows_its_result_in_the_list(capsys, tmp_path):
    (tmp_path / "tagging").mkdir()
    (tmp_path / "tagging" / "metrics.json").write_text(json.dumps(METRICS))
    assert listing.main(["--runs", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("last result") == 1
    assert "last result: nats a character 1.235" in printed


@pytest.mark.parametrize("task", task_folders.TASKS)
def test_a_task_tells_its_layouts_and_commands_that_are_valid(task, capsys):
    assert listing.main([task]) == 0
    printed = capsys.readouterr().out
    for command_name in task_folders.COMMANDS:
        assert f"python -m apps.{task}.{command_name}" in printed
    layouts = printed.split("--data:\n")[1].split("\n\n")[0]
    assert len(layouts.split()) > 20, "nothing of the README was found"
    assert not re.search(r"[`|]--|^\s*\|", layouts, re.MULTILINE), "markdown"
    (check,) = re.findall(rf"python -m apps\.{task}\.train (.* --check)$", printed, re.MULTILINE)
    presets = importlib.import_module(f"apps.{task}.config").PRESETS
    options = command.train_options(task, presets, shlex.split(check))
    assert options.check
    assert options.config.data


def test_a_layout_is_told_as_the_readme_writes_it(tmp_path):
    (tmp_path / "README.md").write_text(
        "# A task\n\n## Your own data\n\n`--data` takes [a file](there):\n\n"
        "```\npython -m apps.a.train --data a.csv\n```\n\n"
        "| layout | content |\n|---|---|\n| `.csv` | `path,text`, or `a\\|b` |\n\n"
        "```\ntime,value\n1,2\n```\n\n| option | effect |\n|---|---|\n| `--a` | no |\n\n"
        "## Serving\n\nelse\n"
    )
    section = listing.own_data(tmp_path / "README.md")
    assert list(listing.described(section)) == [
        "  --data takes a file",
        "  .csv",
        "      path,text, or a|b",
        "    time,value",
        "    1,2",
    ]


def test_what_data_takes_is_told_also_where_commands_stand_before_it():
    section = "\n```\npython -m apps.a.train\n```\n\n`--data` takes a folder\nor a set.\n\nMore.\n"
    assert list(listing.described(section)) == ["  --data takes a folder or a set."]


def test_a_task_that_is_not_there_is_one_line(capsys):
    assert listing.main(["taging"]) == 2
    assert capsys.readouterr().err == "error: taging: no such task; did you mean tagging?\n"


def test_the_last_result_stands_beside_the_baseline(tmp_path):
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS))
    assert listing.last_result(tmp_path) == (
        "nats a character 1.235, 4-gram 2 (lower is better; a_set, preset tiny, seed 3)"
    )


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({}, "none yet"),
        ({"config.json": "{}"}, "unfinished run"),
        ({"metrics.json": "{"}, "damaged"),
        ({"metrics.json": '{"primary": 3}'}, "damaged"),
    ],
)
def test_without_a_result_the_list_says_so(tmp_path, files, line):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert line in listing.last_result(tmp_path)


@pytest.mark.parametrize("arguments", [[], ["tagging"]])
def test_the_list_needs_no_tensorflow(arguments):
    program = (
        f"import runpy, sys; sys.argv = ['apps', *{arguments!r}]\n"
        "try:\n    runpy.run_module('apps', run_name='__main__')\n"
        "except SystemExit as leave:\n    assert leave.code == 0\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
