"""Draws boxes on frames: copies of videos, and strips of frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.axes
import numpy as np

from apps.suite.evaluation import plot_style
from apps.suite.videos import copies, video_files
from apps.suite.videos.opencv import cv2

_COLOURS = ((66, 165, 245), (255, 167, 38), (102, 187, 106), (236, 64, 122), (171, 71, 188))
_STRIP_FRAMES, _STRIP_COLUMNS = 8, 4
_TITLE_INCHES, _BETWEEN_PIXELS = 0.5, 4


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


def drawn(
    frame: np.ndarray, boxes: Sequence[Any], there: Sequence[Any] = (), letters: float = 0.45
) -> np.ndarray:
    """Returns a frame with boxes, enlarged where it is small; both sides are even.

    Args:
        frame: uint8 [height, width, 3].
        boxes: `predict.Box`es.
        there: boxes [4] to be dashed: left, top, right, bottom in pixels.
        letters: size of the labels.
    """
    size = copies.drawn_size(frame)
    shown = cv2.resize(frame, size, interpolation=cv2.INTER_NEAREST)
    scale = np.array([size[0] / frame.shape[1], size[1] / frame.shape[0]] * 2)
    for box in there:
        x, y, right, bottom = np.rint(box * scale).astype(int).tolist()
        outline = cv2.rectangle(np.zeros(shown.shape[:2], np.uint8), (x, y), (right, bottom), 1, 2)
        rows, columns = np.nonzero(outline)
        # Black and white in turn show on any ground
        shown[rows, columns] = np.where((rows + columns) // 8 % 2, 255, 0)[:, None]
    for box in boxes:
        colour = _COLOURS[box.id % len(_COLOURS)]
        corners = np.array([box.x, box.y, box.x + box.width, box.y + box.height]) * scale
        x, y, right, bottom = np.rint(corners).astype(int).tolist()
        cv2.rectangle(shown, (x, y), (right, bottom), colour, 2)
        place, told = (x, max(12, y - 4)), f"{box.label} {box.score:.2f}"
        cv2.putText(shown, told, place, cv2.FONT_HERSHEY_SIMPLEX, letters, colour, 1, cv2.LINE_AA)
    return shown


def places(count: int) -> list[int]:
    """Returns the numbers of the frames of a strip, spread over a video of `count` frames."""
    return np.unique(np.linspace(0, count - 1, _STRIP_FRAMES).round().astype(int)).tolist()


def strip(frames: Sequence[np.ndarray]) -> tuple[plot_style.Draw, float]:
    """Returns what draws frames of one size in lines, and its height in inches."""
    around = ((0, _BETWEEN_PIXELS), (0, _BETWEEN_PIXELS), (0, 0))
    # Transparent between them
    each = [np.pad(np.insert(frame, 3, 255, axis=2), around) for frame in frames]
    each += [np.zeros_like(each[0])] * (-len(each) % _STRIP_COLUMNS)
    lines = [
        np.hstack(each[at : at + _STRIP_COLUMNS]) for at in range(0, len(each), _STRIP_COLUMNS)
    ]
    whole = np.vstack(lines)

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        del theme
        axes.imshow(whole)
        axes.set_axis_off()

    return draw, _TITLE_INCHES + plot_style.WIDTH_INCHES * whole.shape[0] / whole.shape[1]
