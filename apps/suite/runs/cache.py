"""Where results are kept that can be had again: the sampled frames of videos."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from apps.suite.runs import files


def folder(kind: str) -> Path:
    """The folder `kind` below `LSTM_TASKS_CACHE`, else below `~/.cache/lstm_tasks`; it exists.

    What lies there may be removed at any time between two commands. Raises errors.UserError where
    the folder cannot be created.
    """
    root = os.environ.get("LSTM_TASKS_CACHE")
    path = (Path(root).expanduser() if root else Path.home() / ".cache" / "lstm_tasks") / kind
    files.make_folder(path)
    return path


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes the folder, and waits until no other process works in it."""
    files.make_folder(folder)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        files.remove_partial(folder)
        yield
