"""Chooses the frames of a clip, of any video: the one formula, in whole numbers.

Nothing here imports TensorFlow: it runs in the processes that decode.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from apps.suite.videos.config import ClipConfig

ASSUMED_FRAMES_PER_SECOND = 25.0
"""Rate of videos that do not tell their own."""


class Sample(NamedTuple):
    """Frames of the clips of one video."""

    indices: np.ndarray  # int64 [clips, time], ascending; the last real one again in the padding
    length: int  # number of real frames of each clip


Plan = Callable[[int, float], Sample]
"""Chooses frames of a video by its number of frames (at least one) and its frames per second."""


def spread(parts: Any, frame_count: Any, frames: int, phases: Any = 1, clips: int = 1) -> Any:
    """Returns the frame that each part of a clip takes from a video of `frame_count` frames.

    The video is divided into `frames` equal parts; clip k of K takes the frame at (k + 1/2) / K of
    each part, so that a single clip takes the middles:

        index(k, i) = floor((i + (k + 1/2) / K) · frame_count / frames)

    Args:
        parts: integers i, as an array or a tensor.
        frame_count: of the video, more than `frames`; an integer, an array or a tensor.
        frames: of a clip.
        phases: 2 k + 1.
        clips: K.
    """
    return (2 * clips * parts + phases) * frame_count // (2 * clips * frames)


def frame_indices(frame_count: int, frames: int, clips: int = 1) -> Sample:
    """Chooses the frames of `clips` clips, each spread over a whole video (see `spread`).

    A video of fewer frames than a clip gives all of its frames, once.
    """
    parts = np.arange(frames)
    if frame_count <= frames:
        return Sample(np.minimum(parts, frame_count - 1)[None], frame_count)
    return Sample(spread(parts, frame_count, frames, _phases(clips), clips), frames)


def window_indices(
    frame_count: int, frames_per_second: float, seconds: float, frames: int, clips: int = 1
) -> Sample:
    """Chooses the frames of `clips` clips of `seconds` each, at even distances over the video.

    Each is `frame_indices` of its stretch alone. A shorter video is one stretch.
    """
    stretch = _stretch(frame_count, frames_per_second, seconds)
    within = frame_indices(stretch, frames)
    if stretch == frame_count:
        return within
    starts = _phases(clips) * (frame_count - stretch) // (2 * clips)
    return Sample(starts + within.indices, within.length)


def sample(frame_count: int, frames_per_second: float, config: ClipConfig, clips: int) -> Sample:
    """Chooses frames as `config.sampling` says, from a video of at least one frame."""
    if config.sampling == "window":
        return window_indices(
            frame_count, frames_per_second, config.clip_seconds, config.frames, clips
        )
    return frame_indices(frame_count, config.frames, clips)


def consecutive(
    frame_count: int, frames_per_second: float, frames: int | None, seconds: float | None
) -> Sample:
    """Chooses the frames of all stretches of `seconds`, one after another, without padding.

    The rest of the video, if shorter than a stretch, is left out.

    Args:
        frame_count, frames_per_second: of the video.
        frames: of a clip, chosen by `frame_indices`; None takes every frame.
        seconds: of a stretch; None, and a shorter video, make one stretch of the whole video.
    """
    stretch = frame_count
    if seconds is not None:
        stretch = _stretch(frame_count, frames_per_second, seconds)
    within = frame_indices(stretch, frames or stretch)
    starts = stretch * np.arange(frame_count // stretch)[:, None]
    return Sample(starts + within.indices[:, : within.length], within.length)


def by_clock(seconds: np.ndarray, frames_per_second: float, plan: Plan) -> tuple[Sample, float]:
    """Chooses frames of a video by their times; returns them and the video's length in seconds.

    If the distances between frames are uneven, the clock of the video is cut into as many equal
    ticks as it has frames; for each tick that `plan` chooses, the frame on the screen in its middle
    is taken.

    Args:
        seconds: float64 [frames], time of each frame; useless times are ignored.
        frames_per_second: rate for videos without useful times.
        plan: chooses ticks.
    """
    count = len(seconds)
    if not has_times(seconds):
        return plan(count, frames_per_second), count / frames_per_second
    tick = float(seconds[-1] - seconds[0]) / (count - 1)
    chosen = plan(count, 1 / tick)
    uneven = np.abs(seconds - seconds[0] - tick * np.arange(count)).max() > tick / 2
    if uneven and count > chosen.indices.shape[1]:
        middles = seconds[0] + (chosen.indices + 0.5) * tick
        on_screen = np.searchsorted(seconds, middles, side="right") - 1
        chosen = Sample(on_screen, chosen.length)
    return chosen, tick * count


def has_times(seconds: np.ndarray) -> bool:
    """Returns whether the times of frames ascend."""
    return len(seconds) > 1 and not (np.diff(seconds) < 0).any() and seconds[-1] > seconds[0]


def decisive(config: ClipConfig, clips: int) -> dict[str, object]:
    """Returns all values that decide which frames are sampled and how they look."""
    fields = ["frames", "height", "width", "fit"]
    whole_video = config.sampling != "window"
    return {
        **{field: getattr(config, field) for field in fields},
        "clips": clips,
        "window_seconds": None if whole_video else config.clip_seconds,
    }


def _phases(clips: int) -> np.ndarray:
    return 2 * np.arange(clips)[:, None] + 1


def _stretch(frame_count: int, frames_per_second: float, seconds: float) -> int:
    return min(frame_count, max(1, round(seconds * frames_per_second)))
