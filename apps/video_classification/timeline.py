"""Answers a video moment by moment, and draws the answers on the frames of a copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from apps.suite.videos import config as clip_configs
from apps.suite.videos import copies, fitting, video_files


class Asked(Protocol):
    """Model that answers every moment of a video, such as `predict.Recogniser`."""

    clips: clip_configs.ClipConfig

    def over_time(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yields float32 [labels] at each frame uint8 [height, width, 3]."""


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
        """Returns the answer [labels] that holds at a time; None before the first."""
        found = int(np.searchsorted(self.seconds, seconds, side="right")) - 1
        return None if found < 0 else self.probabilities[found]

    def segments(self, label_names: tuple[str, ...]) -> list[Segment]:
        """Returns the likeliest labels over time, equal neighbours joined."""
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
    asked: Asked,
    path: Path,
    video: video_files.Decoded,
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
        video: what `video_files.read` gave of it.
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
    """Yields all frames of a video with ascending times from 0 on, even without useful times.

    Args:
        path: of the video.
        frame_seconds: from one frame to the next where the file does not say it.
    """
    first: float | None = None
    before = -frame_seconds
    for seconds, frame in video_files.frames(path):
        first = seconds if first is None else first
        now = seconds - first
        before = now if now > before else before + frame_seconds
        yield before, frame


def at_pace(
    frames: Iterator[tuple[float, np.ndarray]], pace_seconds: float, frame_seconds: float
) -> Iterator[tuple[float, np.ndarray]]:
    """Yields the frame on the screen in the middle of each of equal stretches of time.

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


_BAR = (90, 170, 255)


def write_annotated(
    path: Path, source: Path, label_names: Sequence[str], timeline: Timeline, frame_seconds: float
) -> None:
    """Writes an mp4 file at an even rate, whole or not at all; it has no sound.

    Args:
        path: of the new file, which ends in .mp4.
        source: the video.
        label_names: of the probabilities.
        timeline: of that video.
        frame_seconds: from one frame to the next.

    Raises:
        UserError: the file cannot be written.
        decoding.UnreadableError: the video cannot be read any more.
    """
    drawn = (
        (repeats, draw_bar(frame, label_names, timeline.at(seconds)))
        for repeats, seconds, frame in _evenly(source, frame_seconds)
    )
    frames = (frame for repeats, frame in drawn for _ in range(repeats))
    copies.write(path, frames, 1 / frame_seconds)


def draw_bar(
    frame: np.ndarray, label_names: Sequence[str], probabilities: np.ndarray | None
) -> np.ndarray:
    """Draws the likeliest label and its probability on the frame, uint8 [height, width, 3].

    A small one is enlarged. Height and width of what comes back are even, as encoders want them.
    Without probabilities [labels] nothing is drawn.
    """
    size = copies.drawn_size(frame)
    larger = size[0] > frame.shape[1]
    method = Image.Resampling.NEAREST if larger else Image.Resampling.BILINEAR
    picture = Image.fromarray(frame).resize(size, method)
    if probabilities is None:
        return np.asarray(picture)
    best = int(probabilities.argmax())
    text, share = f"{label_names[best]}  {probabilities[best]:.0%}", float(probabilities[best])
    points = max(13, size[1] // 18)
    font = ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), points
    )
    edge, bar = points // 2, max(2, points // 5)
    box = (0, size[1] - points - 3 * edge - bar, size[0], size[1])
    layer = Image.new("RGBA", size)
    on = ImageDraw.Draw(layer)
    on.rectangle(box, fill=(0, 0, 0, 150))
    on.text((edge, box[1] + edge // 2), text, font=font, fill=(255, 255, 255, 255))
    reach = edge + round(share * (size[0] - 2 * edge))
    on.rectangle((edge, size[1] - edge - bar, reach, size[1] - edge), fill=(*_BAR, 255))
    return np.asarray(Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB"))


def _evenly(source: Path, frame_seconds: float) -> Iterator[tuple[int, float, np.ndarray]]:
    """Yields each frame with its number of repeats at an even rate, and its time."""
    shown, written = None, 0
    for seconds, frame in timed_frames(source, frame_seconds):
        if shown is not None:
            repeats = max(0, round(seconds / frame_seconds) - written)
            yield repeats, *shown
            written += repeats
        shown = seconds, frame
    if shown is not None:
        yield 1, *shown
