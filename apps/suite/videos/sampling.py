"""Which frames of a video a clip has.

Nothing here imports TensorFlow: it runs in the processes that decode. `served_indices` in
preprocessing.py is the same in TensorFlow.
"""

from typing import NamedTuple

import numpy as np

from apps.suite.videos.config import ClipConfig


class Sample(NamedTuple):
    """Frames of the clips of one video."""

    indices: np.ndarray  # int64 [clips, time], ascending; the last real one again in the padding
    length: int  # so many of a clip's frames are real


def frame_indices(frame_count: int, frames: int, clips: int = 1) -> Sample:
    """The frames of `clips` clips, each spread over a whole video of `frame_count` frames.

    The video is divided into `frames` equal parts; clip k of K takes the frame at (k + 1/2) / K of
    each part, so that one clip alone takes the middles:

        index(k, i) = floor((i + (k + 1/2) / K) · frame_count / frames)

    A video of fewer frames than a clip gives all of its frames, once.
    """
    if frame_count <= frames:
        indices = np.minimum(np.arange(frames), frame_count - 1)[None]
        return Sample(indices, frame_count)
    parts = np.arange(frames)
    phases = 2 * np.arange(clips)[:, None] + 1
    indices = (2 * clips * parts + phases) * frame_count // (2 * clips * frames)
    return Sample(indices, frames)


def window_indices(
    frame_count: int, frames_per_second: float, seconds: float, frames: int, clips: int = 1
) -> Sample:
    """The frames of `clips` clips of `seconds` each, spread evenly over the video.

    Each is `frame_indices` of its stretch alone. A video that is shorter is one stretch.
    """
    stretch = min(frame_count, max(1, round(seconds * frames_per_second)))
    within = frame_indices(stretch, frames)
    if stretch == frame_count:
        return within
    starts = (2 * np.arange(clips)[:, None] + 1) * (frame_count - stretch) // (2 * clips)
    return Sample(starts + within.indices, within.length)


def sample(frame_count: int, frames_per_second: float, config: ClipConfig, clips: int) -> Sample:
    """What `config.sampling` says, of a video of at least one frame."""
    if config.sampling == "window":
        return window_indices(
            frame_count, frames_per_second, config.clip_seconds, config.frames, clips
        )
    return frame_indices(frame_count, config.frames, clips)


def decisive(config: ClipConfig, clips: int) -> dict[str, object]:
    """All that decides which frames are sampled and how they look."""
    fields = ["frames", "height", "width", "fit"]
    whole_video = config.sampling != "window"
    return {
        **{field: getattr(config, field) for field in fields},
        "clips": clips,
        "window_seconds": None if whole_video else config.clip_seconds,
    }


def by_time(seconds: np.ndarray, config: ClipConfig, clips: int) -> Sample:
    """`sample` of a video whose frames come at uneven distances.

    The clock of such a video is cut into as many equal ticks as it has frames; of each tick that
    would be sampled, the frame that is on the screen in its middle is taken.

    Args:
        seconds: float64 [frames], ascending, when each frame appears.
    """
    count = len(seconds)
    tick = (seconds[-1] - seconds[0]) / max(1, count - 1)
    wanted = sample(count, 1 / tick if tick > 0 else 25.0, config, clips)
    if count <= config.frames:
        return wanted
    middles = seconds[0] + (wanted.indices + 0.5) * tick
    return Sample(np.searchsorted(seconds, middles, side="right") - 1, wanted.length)
