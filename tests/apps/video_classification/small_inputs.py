"""Videos for the small run, for tests over all tasks."""

from tests.apps.video_classification import made_videos, small_run


def arguments(folder):
    """Returns what `predict` is to be asked; writes files to `folder`."""
    made_videos.write(folder / "short.avi", small_run.video(4, 32, 40, seed=1), 10.0)
    made_videos.write(folder / "long.mp4", small_run.video(40, 48, 60, seed=2), 20.0)
    return [str(folder), "--timeline", str(folder / "pictures"), "--clip_seconds", "1"]
