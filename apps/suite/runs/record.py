"""config.json of a run folder: what a run was made of, and whether a folder's run is that one.

Where a result comes from: the commit, the libraries' versions and the hardware.
"""

import functools
import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.suite import errors, process
from apps.suite.runs import config as config_fields
from apps.suite.runs import files

_LIBRARIES = ("tensorflow", "keras", "numpy", "tensorflow-datasets")


@functools.cache
def commit() -> str:
    """Returns the hash of this project's commit, with "-dirty" if files have changed since.

    "unknown" where the project is not a git checkout or git is missing.
    """
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():  # or git would answer for a repository further up
        return "unknown"
    try:
        answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide a result; imports none of them."""
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = "not installed"
    return found


def hardware() -> str:
    """Returns the processor and the number of its cores that this process may use."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{model}, {process.cores()} cores"


def new(task: str, config: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the record of a run that begins now, for config.json."""
    return {
        "task": task,
        "preset": getattr(config, "preset", None),
        "config": config_fields.to_dict(config),
        "data": dict(data),
        "commit": commit(),
        "versions": versions(),
        "hardware": hardware(),
    }


def existing(path: Path, task: str) -> dict[str, Any] | None:
    """Reads the record in the folder `path`; None if there is nothing yet.

    Raises errors.UserError for a file, a folder of something else, and another task's run.
    """
    path = Path(path)
    if not path.exists():
        return None
    if not path.is_dir():
        raise errors.UserError(f"{path} is a file; --run needs a folder")
    if not (path / "config.json").exists():
        if any(not _is_trace(entry) for entry in path.iterdir()):
            raise errors.UserError(
                f"{path} holds other files and no run; choose an empty or a new folder as --run"
            )
        return None
    record = files.read_json(path / "config.json")
    if not {"task", "preset", "config", "data", "commit"} <= record.keys():
        raise errors.UserError(f"{path / 'config.json'} is not that of a run; choose another --run")
    if record["task"] != task:
        raise errors.UserError(
            f"{path} holds a run of {record['task']}, not of {task}; choose another --run"
        )
    return record


def is_finished(path: Path, record: Mapping[str, Any]) -> bool:
    """Returns whether the run of this record was trained and evaluated."""
    files = (path / "metrics.json", path / "model.keras")
    return "train_seconds" in record and all(file.is_file() for file in files)


def refuse_other(
    path: Path, record: Mapping[str, Any], config: Any, data: Mapping[str, Any]
) -> None:
    """Raises errors.UserError when the record is of another config or of other data.

    It names the first field that differs, with both values.
    """
    new = config_fields.to_dict(config)
    name, before, now = config_fields.first_difference(record["config"], new)
    if not name and record["data"].get("fingerprint") != data.get("fingerprint"):
        name, before, now = "data", record["data"].get("name"), data.get("name")
        if before == now:
            name, before, now = (
                "fingerprint of the data",
                *(each.get("fingerprint") for each in (record["data"], data)),
            )
    if name:
        raise errors.UserError(
            f"{path} holds an unfinished run with another {name} ({before!r}, now {now!r}); "
            "repeat its command, choose another --run, or replace it with --overwrite"
        )


def _is_trace(entry: Path) -> bool:
    """Returns whether a start that was killed at once may have left this file."""
    return entry.name == files.LOCK_NAME or entry.name.startswith(files.PARTIAL)
