"""Where results are kept that can be had again: the sampled frames of videos."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from apps import whole_files


def folder(kind: str) -> Path:
    """The folder `kind` below `LSTM_TASKS_CACHE`, else below `~/.cache/lstm_tasks`; it exists.

    What lies there may be removed at any time between two commands. Raises errors.UserError where
    the folder cannot be created.
    """
    root = os.environ.get("LSTM_TASKS_CACHE")
    path = (Path(root).expanduser() if root else Path.home() / ".cache" / "lstm_tasks") / kind
    whole_files.make_folder(path)
    return path


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes the folder, and waits until no other process works in it."""
    whole_files.make_folder(folder)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        whole_files.remove_partial(folder)
        yield
