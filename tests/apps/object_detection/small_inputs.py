"""Videos for the small run, for tests over all tasks."""

from apps.suite.videos import video_files
from tests.apps.object_detection import small_run


def arguments(folder):
    """Returns what `predict` is to be asked; writes files to `folder`."""
    video_files.write(folder / "short.avi", small_run.video(4, 32, 40, seed=1))
    video_files.write(folder / "long.avi", small_run.video(11, 48, 60, seed=2))
    return [str(folder), "--csv", str(folder / "boxes.csv"), "--threshold", "0.4"]
