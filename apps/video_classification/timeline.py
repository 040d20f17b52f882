"""What a model takes a video for at every moment of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.video_classification import decoding, fitting, recogniser


class Segment(NamedTuple):
    """A stretch of a video with one label."""

    start_seconds: float
    end_seconds: float
    label: str
    probability: float  # the mean over the stretch


class Timeline(NamedTuple):
    """Answers in the order of time; each holds until the next one."""

    seconds: np.ndarray  # float64 [answers], when the frame appears that an answer is about
    probabilities: np.ndarray  # float32 [answers, labels]
    end_seconds: float  # of the video

    def at(self, seconds: float) -> np.ndarray | None:
        """The answer [labels] that holds at a time; None before the first."""
        found = int(np.searchsorted(self.seconds, seconds, side="right")) - 1
        return None if found < 0 else self.probabilities[found]

    def segments(self, label_names: tuple[str, ...]) -> list[Segment]:
        """The likeliest labels, neighbours of the same one joined."""
        best = self.probabilities.argmax(axis=1)
        starts = np.flatnonzero(np.diff(best, prepend=-1))
        ends = [*starts[1:], len(best)]
        times = np.append(self.seconds, self.end_seconds)
        return [
            Segment(
                start_seconds=float(times[start]),
                end_seconds=float(times[end]),
                label=label_names[best[start]],
                probability=float(self.probabilities[start:end, best[start]].mean()),
            )
            for start, end in zip(starts, ends, strict=True)
        ]


def of_video(
    asked: recogniser.Recogniser,
    path: Path,
    video: decoding.Decoded,
    clip_seconds: float | None = None,
) -> Timeline:
    """Asks for every moment of a video, one frame after the other in memory.

    The frames that are asked about come at the pace at which a clip has its own: `frames` of them
    in the time of one clip. That is `clip_seconds`, or what the run's windows have, or, of a run
    whose clips are spread over a whole video, the whole video: then the last answer is about the
    very frames that make its clip, and each one before it about those seen so far.

    Args:
        asked: who answers.
        path: of the video.
        video: what `decoding.read` gave of it.
        clip_seconds: time that a clip spans; None = that of the run.

    Raises:
        decoding.UnreadableError: no frame can be decoded any more.
    """
    clips = asked.clips
    span = clip_seconds or (clips.clip_seconds if clips.sampling == "window" else video.seconds)
    frame_seconds = video.seconds / video.frame_count
    pace = max(min(span, video.seconds) / clips.frames, frame_seconds)
    times: list[float] = []

    def chosen() -> Iterator[np.ndarray]:
        for seconds, frame in at_pace(timed_frames(path, frame_seconds), pace, frame_seconds):
            times.append(seconds)
            yield fitting.fit(frame, clips)

    answers = np.stack(list(asked.over_time(chosen())))
    return Timeline(np.array(times), answers, video.seconds)


def timed_frames(path: Path, frame_seconds: float) -> Iterator[tuple[float, np.ndarray]]:
    """All frames of a video with ascending times from 0 on, also where its own are of no use.

    Args:
        path: of the video.
        frame_seconds: from one frame to the next where the file does not say it.
    """
    first: float | None = None
    before = -frame_seconds
    for seconds, frame in decoding.frames(path):
        first = seconds if first is None else first
        now = seconds - first
        before = now if now > before else before + frame_seconds
        yield before, frame


def at_pace(
    frames: Iterator[tuple[float, np.ndarray]], pace_seconds: float, frame_seconds: float
) -> Iterator[tuple[float, np.ndarray]]:
    """Of equal stretches of time, the frame that is on the screen in the middle of each.

    Args:
        frames: (seconds, frame), ascending.
        pace_seconds: length of a stretch, at least the distance of two frames.
        frame_seconds: how long the last frame stays.
    """
    number, shown = 0, None

    def passed(seconds: float) -> bool:
        # A little later, since times are rounded: what appears right in the middle counts
        return (number + 0.501) * pace_seconds < seconds

    for seconds, frame in frames:
        while shown is not None and passed(seconds):
            yield shown
            number += 1
        shown = seconds, frame
    while shown is not None and passed(shown[0] + frame_seconds):
        yield shown
        number += 1
