"""Frames of video files, by OpenCV.

Only sampled frames are brought to RGB and kept, at their final size, so that a video of any length
fits. What a header says of the number of frames is a plan that the pass itself corrects.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.suite.videos import container_end, fitting, sampling
from apps.suite.videos.config import ClipConfig
from apps.suite.videos.opencv import cv2

_ASSUMED_FRAMES_PER_SECOND = 25.0  # where nothing says it
_LEAST_SHARE = 0.5  # of the frames that a header promises; with fewer a file is damaged


class UnreadableError(Exception):
    """A file that gives no frames, or fewer than it should; `str` says why, without its name."""


class Facts(NamedTuple):
    """What a video's header says."""

    frames: int  # 0 where it does not say; may be wrong
    frames_per_second: float
    height: int  # pixels, as it is shown: upright
    width: int


class Decoded(NamedTuple):
    """Clips of one video."""

    frames: np.ndarray  # uint8 [clips, time, height, width, 3], RGB, zero in the padding
    length: int  # real frames of each clip
    frame_count: int  # of the video, counted
    seconds: float  # of the video


def facts(path: Path) -> Facts:
    """The header of a video. Raises UnreadableError."""
    with _opened(path) as capture:
        return _facts(capture)


def read(path: Path, config: ClipConfig, clips: int) -> Decoded:
    """Clips of a video, sampled as `sampling.sample` says, at the size of `config`.

    A first pass decodes all frames, brings those to RGB that the header's count asks for, and
    notes every frame's time. Where count or times turn out otherwise, a second one fetches what
    was not foreseen: with uneven times (`sampling.by_time`), the frames that are on the screen at
    even distances.

    Raises:
        UnreadableError: not a video, without pictures, cut off or damaged.
    """
    lacking = container_end.missing_bytes(path)
    if lacking:
        raise UnreadableError(f"is cut off: {lacking:,} bytes are missing at its end")
    kept: dict[int, np.ndarray] = {}
    with _opened(path) as capture:
        header = _facts(capture)
        promised = max(1, header.frames)
        plan = sampling.sample(promised, header.frames_per_second, config, clips)
        times = _pass(capture, set(plan.indices.ravel().tolist()), kept, config)
    count = len(times)
    if count == 0:
        raise UnreadableError("has no frame that can be decoded")
    if count == 1 and cv2.haveImageReader(str(path)):
        raise UnreadableError("is a picture, not a video")
    if count < _LEAST_SHARE * header.frames:
        raise UnreadableError(f"gives {count} frames of {header.frames}: it is damaged or cut off")
    chosen, seconds = _chosen(np.array(times) / 1e3, header.frames_per_second, config, clips)
    missing = set(chosen.indices.ravel().tolist()) - set(kept)
    if missing:
        with _opened(path) as capture:
            _pass(capture, missing, kept, config)
        lost = missing - set(kept)
        if lost:
            raise UnreadableError(f"gives other frames when it is read again ({min(lost)} is gone)")
    return Decoded(fitting.stacked(kept, chosen, config), chosen.length, count, seconds)


def frames(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """All frames, one at a time: (seconds from the start, uint8 [height, width, 3], RGB).

    Raises UnreadableError where there is none.
    """
    any_frame = False
    with _opened(path) as capture:
        while capture.grab():
            seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
            found, frame = capture.retrieve()
            if found:
                any_frame = True
                yield seconds, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    if not any_frame:
        raise UnreadableError("has no frame that can be decoded")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    """An open video. Two threads: one decodes ahead while Python looks at what the other gave.

    FFmpeg's own choice is as many as there are cores, for each of several videos side by side.
    """
    capture = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 2])
    try:
        if not capture.isOpened():
            empty = path.stat().st_size == 0
            raise UnreadableError(
                "is empty" if empty else "has no pictures: not a video, only sound, or damaged"
            )
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # upright, as a player shows it
        yield capture
    finally:
        capture.release()


def _facts(capture: cv2.VideoCapture) -> Facts:
    rate = capture.get(cv2.CAP_PROP_FPS)
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return Facts(
        frames=int(count) if 0 < count < 2**40 else 0,  # negative or immense: unknown
        frames_per_second=rate if 0.01 < rate < 10_000 else _ASSUMED_FRAMES_PER_SECOND,
        height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
    )


def _pass(
    capture: cv2.VideoCapture, wanted: set[int], kept: dict[int, np.ndarray], config: ClipConfig
) -> list[float]:
    """Puts the wanted frames into `kept`; the time of every frame in milliseconds."""
    times: list[float] = []
    while capture.grab():
        if len(times) in wanted:
            found, frame = capture.retrieve()
            if not found:
                continue  # decoded, but not a picture: does not count as a frame
            small = fitting.fit(frame, config)
            kept[len(times)] = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    return times


def _chosen(
    seconds: np.ndarray, frames_per_second: float, config: ClipConfig, clips: int
) -> tuple[sampling.Sample, float]:
    """The frames to take, and the length of the video in seconds."""
    count = len(seconds)
    steps = np.diff(seconds)
    if count < 2 or (steps < 0).any() or seconds[-1] <= seconds[0]:  # no times, or none of use
        chosen = sampling.sample(count, frames_per_second, config, clips)
        return chosen, count / frames_per_second
    tick = float(seconds[-1] - seconds[0]) / (count - 1)
    uneven = np.abs(seconds - seconds[0] - tick * np.arange(count)).max() > tick / 2
    chosen = (
        sampling.by_time(seconds, config, clips)
        if uneven
        else sampling.sample(count, 1 / tick, config, clips)
    )
    return chosen, tick * count
