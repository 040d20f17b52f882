"""Locates and locks the cache folder for results that can be recomputed."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from apps.suite.runs import files

VARIABLE = "LSTM_TASKS_CACHE"
"""Environment variable that names the cache folder; `~/.cache/lstm_tasks` without it."""


def folder(kind: str) -> Path:
    """Creates the folder `kind` in the cache folder, and returns it.

    Its content may be removed at any time between two commands. Raises errors.UserError if the
    folder cannot be created.
    """
    root = os.environ.get(VARIABLE)
    path = (Path(root).expanduser() if root else Path.home() / ".cache" / "lstm_tasks") / kind
    files.make_folder(path)
    return path


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Creates the folder, waits until no other process works in it, and locks it.

    Removes partial files of processes that were killed.
    """
    files.make_folder(folder)
    descriptor = files.lock(folder / files.LOCK_NAME, wait=True)
    assert descriptor is not None
    try:
        files.remove_partial(folder)
        yield
    finally:
        os.close(descriptor)
