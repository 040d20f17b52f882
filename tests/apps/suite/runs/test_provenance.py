import importlib.metadata
import re
from pathlib import Path

from apps.suite.runs import record


def test_the_commit_is_a_whole_hash_in_a_checkout():
    known = re.fullmatch(r"[0-9a-f]{40}(-dirty)?", record.commit())
    assert bool(known) == (Path(__file__).parents[4] / ".git").exists()


def test_versions_are_those_installed():
    found = record.versions()
    assert found["keras"] == importlib.metadata.version("keras")
    assert found["python"].startswith("3.")


def test_hardware_tells_processor_and_cores():
    assert re.search(r"\w.*, [1-9]\d* cores$", record.hardware())
