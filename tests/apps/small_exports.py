"""Folders with exports of every task, of small models with large random weights, and of `echo`.

Nothing is trained: what a page shows of an answer holds for any weights.
"""

import fcntl
import importlib

from tests.apps import echo_model, task_folders


def export(folder):
    """Writes the exports of all tasks to `folder/all`, and a link to each to `folder/<task>`."""
    for task in task_folders.TASKS:
        importlib.import_module(f"tests.apps.{task}.small_run").write(folder / "runs" / task)
        command = importlib.import_module(f"apps.{task}.export")
        command.export(folder / "runs" / task, folder / "all")
    echo_model.write(folder / "all", 1)
    for model in (folder / "all").iterdir():
        (folder / model.name).mkdir()
        (folder / model.name / model.name).symlink_to(model, target_is_directory=True)


def shared(tmp_path_factory):
    """What `export` wrote for the first worker that asked; the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen-") else base) / "small_exports"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "written").exists():
            export(folder)
            (folder / "written").touch()
    return folder
