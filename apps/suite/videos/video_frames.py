"""Frames of video files by OpenCV, chosen as the signatures of video classification choose them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from apps.suite import errors
from apps.suite.videos import container_end
from apps.suite.videos.opencv import cv2

_ASSUMED_FRAMES_PER_SECOND = 25.0  # where nothing says it
_LEAST_SHARE = 0.5  # of the frames that a header promises; with fewer a file is damaged
_MOST_BYTES = 1 << 30  # of the frames of one row


def clips(path: str, frames: int | None, clip_seconds: float | None) -> Iterator[np.ndarray]:
    """The rows of a video: uint8 [frames, height, width, 3] each, RGB, in the video's own size.

    Args:
        path: of the file.
        frames: of a row: the middles of as many equal parts; a row of fewer frames has them all.
            None takes every frame.
        clip_seconds: how long a row's stretch of the video is, each behind the one before; a rest
            that is shorter belongs to none. None, and a shorter video, make one row of it all.

    Raises:
        UserError: no video, cut off or damaged; or too many pixels for a row. It says why, without
            the file's name, and may come behind rows.
    """
    lacking = container_end.missing_bytes(Path(path))
    if lacking:
        raise errors.UserError(f"is cut off: {lacking:,} bytes are missing at its end")
    with _opened(path) as capture:
        rate = capture.get(cv2.CAP_PROP_FPS)
        rate = rate if 0.01 < rate < 10_000 else _ASSUMED_FRAMES_PER_SECOND
        promised = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        expected = int(promised) if 0 < promised < 2**40 else 1
        count = 0
        if clip_seconds is not None:
            stretch = max(1, round(clip_seconds * rate))
            wanted, kept = _middles(stretch, frames), dict[int, np.ndarray]()
            for place, frame in _read(capture, lambda at: at % stretch in wanted):
                if frame is not None:
                    kept[place % stretch] = frame
                count = place + 1
                if count % stretch == 0:
                    yield _stacked(kept, wanted)
                    kept = {}
    if clip_seconds is None or 0 < count < stretch:
        found, count = _whole(path, frames, count or expected)
        yield found
    if not count:
        raise errors.UserError("has no frame that can be decoded")
    if count < _LEAST_SHARE * expected:
        raise errors.UserError(f"gives {count} frames of {expected}: it is damaged or cut off")


def _whole(path: str, frames: int | None, expected: int) -> tuple[np.ndarray, int]:
    """One row of a whole video, and how many frames that has."""
    wanted, kept, count = set(_middles(expected, frames)), dict[int, np.ndarray](), 0
    for _ in range(2):  # again for what was not foreseen: headers promise other numbers of frames
        with _opened(path) as capture:
            missing = wanted - kept.keys()
            for place, frame in _read(capture, missing.__contains__):
                count = place + 1
                if frame is not None:
                    kept[place] = frame
                    if len(kept) * frame.nbytes > _MOST_BYTES:
                        told = "has more pixels than can be asked about at once; cut it"
                        raise errors.UserError(told)
        wanted = set(_middles(count, frames))
        if kept.keys() >= wanted:
            break
    if not count:
        raise errors.UserError("has no frame that can be decoded")
    if not kept.keys() >= wanted:
        raise errors.UserError("gives other frames when it is read again")
    return _stacked(kept, sorted(wanted)), count


def _middles(count: int, frames: int | None) -> list[int]:
    """The frames of a row of so many."""
    if frames is None or count <= frames:
        return list(range(count))
    return [(2 * part + 1) * count // (2 * frames) for part in range(frames)]


def _stacked(kept: Mapping[int, np.ndarray], wanted: Sequence[int]) -> np.ndarray:
    return np.stack([kept[at] for at in wanted])


@contextlib.contextmanager
def _opened(path: str) -> Iterator[cv2.VideoCapture]:
    source = str(Path(path).resolve())
    capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 2])
    try:
        if not capture.isOpened():
            raise errors.UserError("has no pictures: not a video, only sound, or damaged")
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # upright, as a player shows it
        yield capture
    finally:
        capture.release()


def _read(
    capture: cv2.VideoCapture, is_wanted: Callable[[int], bool]
) -> Iterator[tuple[int, np.ndarray | None]]:
    """The place of every frame, and its pixels where they are wanted."""
    place = 0
    while capture.grab():
        pixels = None
        if is_wanted(place):
            found, frame = capture.retrieve()
            if not found:
                continue  # decoded, but not a picture: does not count as a frame
            pixels = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        yield place, pixels
        place += 1
