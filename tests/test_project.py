"""The project's metadata against its lock file and its wheel."""

import contextlib
import re
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked():
    """Name -> versions in requirements.lock; several where markers choose between them."""
    found: dict[str, list[Version]] = {}
    for name, version in re.findall(
        r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    ):
        found.setdefault(canonical(name), []).append(Version(version))
    return found


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def declared():
    extras = PROJECT["optional-dependencies"]
    # What the benchmarks compare with is installed beside the lock
    of_extras = [each for name, some in extras.items() if name != "benchmarks" for each in some]
    requirements = [Requirement(text) for text in [*PROJECT["dependencies"], *of_extras]]
    return [each for each in requirements if each.name != PROJECT["name"]]


def test_the_lock_has_every_declared_dependency_in_a_version_that_fits():
    versions = locked()
    for requirement in declared():
        name = canonical(requirement.name)
        assert name in versions, f"{name} is not locked: run make lock"
        for version in versions[name]:
            assert version in requirement.specifier, f"{requirement}, locked {version}: make lock"


def test_everything_locked_has_a_hash():
    for block in re.split(r"^(?=[\w.-]+==)", (ROOT / "requirements.lock").read_text(), flags=re.M):
        assert not block.strip() or "--hash=sha256:" in block, block[:80]


def test_the_lock_names_no_machine_s_index():
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"--(index|find-links|extra-index)|file://|https?://", text)


@pytest.mark.slow
def test_the_wheel_ships_the_layers_and_nothing_of_the_tasks(tmp_path):
    build = pytest.importorskip("hatchling.build")  # in the locked environment, not everywhere
    with contextlib.chdir(ROOT):
        wheel = tmp_path / build.build_wheel(str(tmp_path))
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"lstm_layers"}
