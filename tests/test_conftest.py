"""Slow tests end in time where a machine has to be given back."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = "tests/apps/suite/test_environment.py"


def test_slow_tests_after_the_given_minutes_are_skipped_and_counted_and_others_run():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--minutes", "0"]
    ended = subprocess.run([*command, TESTS], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout
    assert "1 passed, 3 skipped" in ended.stdout
    assert "SKIPPED [3]" in ended.stdout
    assert "after the 0 minutes of --minutes" in ended.stdout
