"""Answers a video moment by moment, and draws the answers on the frames of a copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from apps.suite import errors
from apps.suite.runs import files
from apps.suite.videos import config as clip_configs
from apps.suite.videos import fitting, video_files
from apps.suite.videos.opencv import cv2


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


_LEAST_WIDTH = 320  # pixels; a smaller video is enlarged so that its labels can be read
_CODEC = "mp4v"  # every OpenCV that has FFmpeg can write it
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
    files.make_folder(path.parent)
    with files.replacing(path) as partial:
        writer: cv2.VideoWriter | None = None
        written = 0
        try:
            for repeats, seconds, frame in _evenly(source, frame_seconds):
                drawn = draw_bar(frame, label_names, timeline.at(seconds))
                if writer is None:
                    size = drawn.shape[1], drawn.shape[0]
                    writer = _writer(partial, 1 / frame_seconds, size, path)
                for _ in range(repeats):
                    writer.write(cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
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


def draw_bar(
    frame: np.ndarray, label_names: Sequence[str], probabilities: np.ndarray | None
) -> np.ndarray:
    """Draws the likeliest label and its probability on the frame, uint8 [height, width, 3].

    A small one is enlarged. Height and width of what comes back are even, as encoders want them.
    Without probabilities [labels] nothing is drawn.
    """
    height, width = frame.shape[:2]
    larger = max(1, -(-_LEAST_WIDTH // width))
    size = [2 * max(1, side * larger // 2) for side in (width, height)]
    method = Image.Resampling.NEAREST if larger > 1 else Image.Resampling.BILINEAR
    picture = Image.fromarray(frame).resize((size[0], size[1]), method)
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
    layer = Image.new("RGBA", (size[0], size[1]))
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


def _writer(partial: Path, rate: float, size: tuple[int, int], path: Path) -> cv2.VideoWriter:
    codec = cv2.VideoWriter.fourcc(*_CODEC)
    writer = cv2.VideoWriter(str(partial), cv2.CAP_FFMPEG, codec, rate, size)
    if not writer.isOpened():
        raise errors.UserError(f"{path}: OpenCV cannot write an mp4 file there")
    return writer
