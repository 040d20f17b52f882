"""A terminal of any encoding shows every text, and a line of JSON stays JSON."""

import json
import os
import subprocess
import sys

import pytest

SAID = "the 🛶 é | \udcff"  # the last is a byte of a file's name that is not UTF-8
PROGRAM = f"""
import json, sys
from apps.suite import errors
from apps.suite.commands import command
def run():
    print({SAID!a})
    print(json.dumps({{"text": {SAID[:-4]!a}}}, ensure_ascii=False))
    raise errors.UserError("no file " + {SAID!a})
sys.exit(command.exit_status(run))
"""


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({"PYTHONIOENCODING": "ascii"}, "the \\ud83d\\udef6 \\u00e9 | \\udcff"),
        ({"PYTHONIOENCODING": "latin-1"}, "the \\ud83d\\udef6 é | \\udcff"),
        (
            {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
            "the \\ud83d\\udef6 \\u00e9 | \\udcff",
        ),
        ({"PYTHONIOENCODING": "utf-8"}, "the 🛶 é | \\udcff"),
    ],
)
def test_every_text_can_be_printed(settings, first):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHONIO")}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, env={**kept, **settings}
    )
    coding = settings.get("PYTHONIOENCODING", "ascii")
    line, told = ended.stdout.decode(coding).splitlines()
    assert line == first
    assert json.loads(told) == {"text": SAID[:-4]}
    assert ended.returncode == 2
    assert b"error: no file" in ended.stderr
    assert b"Traceback" not in ended.stderr
