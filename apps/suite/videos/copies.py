"""Writes copies of videos with something drawn on their frames."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from apps.suite import errors
from apps.suite.runs import files
from apps.suite.videos import video_files
from apps.suite.videos.opencv import cv2

_CODEC = "mp4v"  # every OpenCV that has FFmpeg can write it
_LEAST_WIDTH = 320  # pixels; a smaller video is enlarged so that what is drawn can be read


def drawn_size(frame: np.ndarray) -> tuple[int, int]:
    """Returns width and height of a frame's copy: large enough, and even, as encoders want them."""
    height, width = frame.shape[:2]
    larger = max(1, -(-_LEAST_WIDTH // width))
    return 2 * max(1, width * larger // 2), 2 * max(1, height * larger // 2)


def write(path: Path, frames: Iterable[np.ndarray], frames_per_second: float) -> None:
    """Writes an mp4 file at an even rate, whole or not at all; it has no sound.

    Args:
        path: of the new file, which ends in .mp4.
        frames: uint8 [height, width, 3] RGB, of one even height and width.
        frames_per_second: of the copy.

    Raises:
        UserError: the file cannot be written.
        UnreadableError: what `frames` raises where they are those of a video.
    """
    files.make_folder(path.parent)
    with files.replacing(path) as partial:
        writer: cv2.VideoWriter | None = None
        written = 0
        try:
            for frame in frames:
                if writer is None:
                    codec, size = cv2.VideoWriter.fourcc(*_CODEC), (frame.shape[1], frame.shape[0])
                    writer = cv2.VideoWriter(
                        str(partial), cv2.CAP_FFMPEG, codec, frames_per_second, size
                    )
                    if not writer.isOpened():
                        raise errors.UserError(f"{path}: OpenCV cannot write an mp4 file there")
                writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
                written += 1
        finally:
            if writer is not None:
                writer.release()
        # The writer says nothing of a full disk
        try:
            complete = video_files.facts(partial).frames == written
        except video_files.UnreadableError:
            complete = False
        if not complete:
            raise errors.UserError(
                f"{path} cannot be written; is there space left on the disk? Nothing of it was kept"
            )
