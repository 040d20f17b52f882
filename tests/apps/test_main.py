import json
import subprocess
import sys
from pathlib import Path

import pytest

from apps import __main__ as listing

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


def test_every_folder_that_trains_is_listed_with_its_commands(capsys):
    folders = {file.parent.name for file in Path(listing.__file__).parent.glob("*/train.py")}
    assert set(listing.tasks()) == folders
    assert listing.main([]) == 0
    printed = capsys.readouterr().out
    for task in folders:
        for command in ("train", "evaluate", "predict", "export"):
            assert f"python -m apps.{task}.{command}" in printed


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


def test_the_list_needs_no_tensorflow():
    program = (
        "import runpy, sys; sys.argv = ['apps']\n"
        "try:\n    runpy.run_module('apps', run_name='__main__')\n"
        "except SystemExit as leave:\n    assert leave.code == 0\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
