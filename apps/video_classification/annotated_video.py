"""A copy of a video with what the model takes it for drawn on every frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from apps import errors, whole_files
from apps.opencv import cv2
from apps.video_classification import decoding
from apps.video_classification.timeline import Timeline, timed_frames

_LEAST_WIDTH = 320  # pixels; what is smaller is enlarged, or no label could be read
_CODEC = "mp4v"  # every OpenCV that has FFmpeg can write it
_BAR = (90, 170, 255)


def write(
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
    whole_files.make_folder(path.parent)
    with whole_files.replacing(path) as partial:
        writer: cv2.VideoWriter | None = None
        written = 0
        try:
            for repeats, seconds, frame in _evenly(source, frame_seconds):
                drawn = draw(frame, label_names, timeline.at(seconds))
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
            complete = decoding.facts(partial).frames == written
        except decoding.UnreadableError:
            complete = False
        if not complete:
            raise errors.UserError(
                f"{path} cannot be written; is there space left on the disk? Nothing of it was kept"
            )


def draw(
    frame: np.ndarray, label_names: Sequence[str], probabilities: np.ndarray | None
) -> np.ndarray:
    """The frame, uint8 [height, width, 3], with the likeliest label and its probability on it.

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
    """Each frame with how often it comes at an even rate, and its time."""
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
