"""Folders with exports of every task, of small models with large random weights, and of `echo`.

Nothing is trained: what a page shows of an answer holds for any weights.
"""

import fcntl
import importlib

from tests.apps import echo_model, task_folders


def shared(tmp_path_factory):
    """The folder of all exports; workers that ask for it write them together, a task at a time."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen-") else base) / "small_exports"
    folder.mkdir(exist_ok=True)
    for waits in (False, True):
        for name in (*task_folders.TASKS, "echo"):
            _write_once(folder, name, waits)
    return folder


def _write_once(folder, name, waits):
    """Writes an export to `folder/all`, and a link to it to `folder/<name>`, unless they are there.

    One that another worker is at is waited for, or left.
    """
    with (folder / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except BlockingIOError:
            return
        link = folder / name / name
        if link.exists():
            return
        if name == "echo":
            echo_model.write(folder / "all", 1)
        else:
            importlib.import_module(f"tests.apps.{name}.small_run").write(folder / "runs" / name)
            command = importlib.import_module(f"apps.{name}.export")
            command.export(folder / "runs" / name, folder / "all")
        link.parent.mkdir()
        link.symlink_to(folder / "all" / name, target_is_directory=True)
