"""Brings a frame of any shape to the size of the network, in OpenCV.

`preprocessing.fitted` is the same in TensorFlow.
"""

from collections.abc import Mapping

import numpy as np

from apps.suite.videos import sampling
from apps.suite.videos.config import ClipConfig
from apps.suite.videos.opencv import cv2


def stacked(
    frames: Mapping[int, np.ndarray], chosen: sampling.Sample, config: ClipConfig
) -> np.ndarray:
    """Uint8 [clips, time, height, width, 3] of frames that are fitted, zero in the padding."""
    shape = (*chosen.indices.shape, config.height, config.width, 3)
    found = np.zeros(shape, np.uint8)
    for clip, indices in enumerate(chosen.indices[:, : chosen.length].tolist()):
        for place, index in enumerate(indices):
            found[clip, place] = frames[index]
    return found


def fit(frame: np.ndarray, config: ClipConfig) -> np.ndarray:
    """Uint8 [height, width, 3] of uint8 [any, any, 3].

    A frame of at least twice the size is halved, to means of four pixels, as often as it goes:
    OpenCV is six times as fast so. Then an axis that shrinks takes the mean of what each new
    pixel covers, and one that grows is drawn out linearly. "crop" first cuts the frame to the
    middle that has the new shape; "pad" fits all of it in and leaves the rest black.
    """
    height, width = frame.shape[:2]
    if config.fit == "crop":
        top, left, rows, columns = cut(height, width, config.height, config.width)
        return _resized(frame[top : top + rows, left : left + columns], config.height, config.width)
    if config.fit == "pad":
        # The part of the new frame that the old one fills, found as a cut the other way round
        top, left, rows, columns = cut(config.height, config.width, height, width)
        black = np.zeros((config.height, config.width, 3), np.uint8)
        black[top : top + rows, left : left + columns] = _resized(frame, rows, columns)
        return black
    return _resized(frame, config.height, config.width)


def cut(height: int, width: int, of_height: int, of_width: int) -> tuple[int, int, int, int]:
    """The largest middle of height × width with the shape of the others: top, left, rows, columns.

    Whole pixels, at least one.
    """
    rows = min(height, max(1, (width * of_height + of_width // 2) // of_width))
    columns = min(width, max(1, (height * of_width + of_height // 2) // of_height))
    return (height - rows) // 2, (width - columns) // 2, rows, columns


def halved(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Halves a frame, to means of four pixels, while it is at least twice as large as a size."""
    while frame.shape[0] >= 2 * height and frame.shape[1] >= 2 * width:
        rows, columns = frame.shape[0] // 2, frame.shape[1] // 2
        whole = frame[: 2 * rows, : 2 * columns]
        frame = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
    return frame


def _resized(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    frame = halved(frame, height, width)
    rows, columns = min(frame.shape[0], height), min(frame.shape[1], width)
    if (rows, columns) != frame.shape[:2]:
        frame = cv2.resize(frame, (columns, rows), interpolation=cv2.INTER_AREA)
    if (rows, columns) != (height, width):
        frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
    return frame
