"""Draws boxes on frames: copies of videos, and strips of frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.suite.videos import copies, video_files
from apps.suite.videos.opencv import cv2

_COLOURS = ((66, 165, 245), (255, 167, 38), (102, 187, 106), (236, 64, 122), (171, 71, 188))


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
    frames = (
        drawn(frame, by_frame.get(number, []))
        for number, (_, frame) in enumerate(video_files.frames(source))
    )
    copies.write(path, frames, video_files.facts(source).frames_per_second)


def drawn(frame: np.ndarray, boxes: Sequence[Any]) -> np.ndarray:
    """Returns a frame with boxes, enlarged where it is small; both sides are even."""
    size = copies.drawn_size(frame)
    shown = cv2.resize(frame, size, interpolation=cv2.INTER_NEAREST)
    across, down = size[0] / frame.shape[1], size[1] / frame.shape[0]
    for box in boxes:
        colour = _COLOURS[box.id % len(_COLOURS)]
        start = round(box.x * across), round(box.y * down)
        end = round((box.x + box.width) * across), round((box.y + box.height) * down)
        cv2.rectangle(shown, start, end, colour, 2)
        place = start[0], max(12, start[1] - 4)
        told = f"{box.label} {box.score:.2f}"
        cv2.putText(shown, told, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
    return shown
