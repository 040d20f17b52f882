"""Draws boxes on frames: copies of videos, and strips of frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.suite import errors
from apps.suite.runs import files
from apps.suite.videos import video_files
from apps.suite.videos.opencv import cv2

_COLOURS = ((66, 165, 245), (255, 167, 38), (102, 187, 106), (236, 64, 122), (171, 71, 188))
_LEAST_WIDTH = 320  # pixels; a smaller video is enlarged so that its labels can be read


def write_annotated(path: Path, source: Path, boxes: Sequence[Any]) -> None:
    """Writes a copy of a video as mp4 with its boxes, whole or not at all; it has no sound.

    Args:
        path: of the new file, which ends in .mp4.
        source: the video.
        boxes: `predict.Box`es of it.

    Raises:
        UserError: the file cannot be written.
        UnreadableError: the video cannot be read any more.
    """
    by_frame: dict[int, list[Any]] = {}
    for box in boxes:
        by_frame.setdefault(box.frame, []).append(box)
    rate = video_files.facts(source).frames_per_second
    files.make_folder(path.parent)
    with files.replacing(path) as partial:
        writer, written = None, 0
        try:
            for number, (_, frame) in enumerate(video_files.frames(source)):
                shown = drawn(frame, by_frame.get(number, []))
                if writer is None:
                    size = shown.shape[1], shown.shape[0]
                    codec = cv2.VideoWriter.fourcc(*"mp4v")
                    writer = cv2.VideoWriter(str(partial), cv2.CAP_FFMPEG, codec, rate, size)
                    if not writer.isOpened():
                        raise errors.UserError(f"{path}: OpenCV cannot write an mp4 file there")
                writer.write(cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))
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


def drawn(frame: np.ndarray, boxes: Sequence[Any]) -> np.ndarray:
    """Returns a frame with boxes, enlarged where it is small; both sides are even."""
    height, width = frame.shape[:2]
    larger = max(1, -(-_LEAST_WIDTH // width))
    size = [max(2, side * larger // 2 * 2) for side in (width, height)]
    shown = cv2.resize(frame, (size[0], size[1]), interpolation=cv2.INTER_NEAREST)
    across, down = size[0] / width, size[1] / height
    for box in boxes:
        colour = _COLOURS[box.id % len(_COLOURS)]
        start = round(box.x * across), round(box.y * down)
        end = round((box.x + box.width) * across), round((box.y + box.height) * down)
        cv2.rectangle(shown, start, end, colour, 2)
        place = start[0], max(12, start[1] - 4)
        told = f"{box.label} {box.score:.2f}"
        cv2.putText(shown, told, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
    return shown
