"""Folders with exports of every task, of small models with large random weights, and of `echo`.

Nothing is trained: what a page shows of an answer holds for any weights.
"""

import fcntl
import importlib

from tests.apps import echo_model
from tests.apps.anomaly_detection import small_model as small_detector
from tests.apps.anomaly_detection.test_export import write_run as write_detector
from tests.apps.recommendation import small_shop
from tests.apps.speech_commands import small_run as small_speech
from tests.apps.text_generation import small_run as small_text
from tests.apps.video_classification import small_run as small_video


def write_anomaly_detection(folder):
    write_detector(folder, small_detector.trained(**small_detector.KINDS["forecaster"]))


WRITERS = {
    "anomaly_detection": write_anomaly_detection,
    "recommendation": small_shop.write,
    "speech_commands": small_speech.write,
    "text_generation": small_text.write,
    "video_classification": small_video.write,
}


def export(folder):
    """Writes the exports of all tasks to `folder/all`, and a link to each to `folder/<task>`."""
    for task, write in WRITERS.items():
        write(folder / "runs" / task)
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
