"""Where results are kept that can be had again: samples of TFDS sets, features."""

import os
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
