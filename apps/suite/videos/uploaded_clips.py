"""Video files of the demo page: which frames a model gets, and how they are read and written."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from apps.suite import errors, process

# Read when it opens its first video: FFmpeg would print about damaged files, which are told of here
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

MOST_FRAMES = 20_000  # of a video: a quarter of an hour at 25 a second
_ASSUMED_FRAMES_PER_SECOND = 25.0  # where a file does not say it
_SHOWN_PIXELS = 160  # height of an example, which a page would otherwise show as a stamp


def indices(count: int, frames_per_second: float, settings: Mapping[str, Any]) -> np.ndarray:
    """Which frames of a video the model gets, int64 [clips, frames], ascending.

    A clip is the whole video or, with `clip_seconds`, a stretch of it; of its equal parts, as many
    as the model takes frames, each gives one. Several clips lie evenly over the video.
    """
    wanted, clips = int(settings["frames"]), int(settings.get("clips_per_video", 1))
    seconds = settings.get("clip_seconds")
    stretch = min(count, max(1, round(seconds * frames_per_second))) if seconds else count
    if stretch < count:
        starts = (2 * np.arange(clips)[:, None] + 1) * (count - stretch) // (2 * clips)
        parts = min(wanted, stretch)
        return starts + (2 * np.arange(parts) + 1) * stretch // (2 * parts)
    if count <= wanted:
        return np.arange(count)[None]
    phases = 2 * np.arange(1 if seconds else clips)[:, None] + 1
    divided = 2 * len(phases)
    return (divided * np.arange(wanted) + phases) * count // (divided * wanted)


def counted(path: Path) -> tuple[int, float]:
    """How many frames a video has, and how many a second; each is decoded, none is kept.

    The rate comes from the frames' own times, which a camera's recordings have and headers lack.
    """
    import cv2

    count = 0
    with _opened(path) as capture:
        rate = capture.get(cv2.CAP_PROP_FPS)
        times = []
        while capture.grab():
            count += 1
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
            if count > MOST_FRAMES:
                told = f"{path.name} has over {MOST_FRAMES:,} frames; cut it shorter."
                raise errors.UserError(told)
    if count == 0:
        raise errors.UserError(f"{path.name} has no frame that can be decoded: it is damaged.")
    if times[-1] > times[0] >= 0:
        rate = 1000 * (count - 1) / (times[-1] - times[0])
    return count, rate if 0.01 < rate < 1_000 else _ASSUMED_FRAMES_PER_SECOND


def read(path: Path, wanted: set[int], settings: Mapping[str, Any]) -> dict[int, np.ndarray]:
    """Frames by their number, uint8 [height, width, 3], RGB, upright.

    They are halved as long as both sides stay above what the model takes, which the model would
    do itself, so that what is sent stays small.
    """
    import cv2

    height, width = int(settings["height"]), int(settings["width"])
    found: dict[int, np.ndarray] = {}
    with _opened(path) as capture:
        at = 0
        while len(found) < len(wanted) and capture.grab():
            if at in wanted:
                decoded, frame = capture.retrieve()
                if not decoded:
                    raise errors.UserError(f"{path.name}: frame {at + 1} is damaged.")
                while frame.shape[0] >= 2 * height and frame.shape[1] >= 2 * width:
                    half = frame.shape[1] // 2, frame.shape[0] // 2
                    even = frame[: 2 * half[1], : 2 * half[0]]
                    frame = cv2.resize(even, half, interpolation=cv2.INTER_AREA)
                found[at] = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            at += 1
    if len(found) < len(wanted):
        raise errors.UserError(f"{path.name} gives fewer frames when it is read again; damaged?")
    return found


def write(frames: np.ndarray) -> Path:
    """A video of frames as a file that browsers show, with pixels large enough to be seen."""
    import cv2

    scale = max(1, round(_SHOWN_PIXELS / frames.shape[1]))
    height, width = (2 * (side * scale // 2) for side in frames.shape[1:3])
    with tempfile.NamedTemporaryFile(
        prefix="example-", suffix=".webm", dir=os.environ.get("GRADIO_TEMP_DIR"), delete=False
    ) as file:
        path = Path(file.name)
    size = (width, height)
    with process.stderr_set_aside():  # OpenCV doubts that VP8 belongs into webm
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), 12, size)
    for frame in frames:
        large = cv2.resize(frame, (width, height), interpolation=cv2.INTER_NEAREST)
        writer.write(cv2.cvtColor(large, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise errors.UserError(
                f"{path.name} cannot be read as a video; give an mp4, webm, avi, mkv or mov file."
            )
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # upright, as a player shows it
        yield capture
    finally:
        capture.release()
