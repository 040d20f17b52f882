"""Which videos are asked about, and where what is made of them goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from apps import errors

SUFFIXES = (
    ".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
    ".mts", ".ogv", ".ts", ".webm", ".wmv",
)  # fmt: skip
"""Of the files that a folder stands for; a file that is named may have any."""


class AskedVideo(NamedTuple):
    """A file, and where its picture and its copy go; None where they are not wanted."""

    path: Path
    timeline: Path | None
    annotated: Path | None

    def written(self) -> Iterator[Path]:
        """What will be there beside the answer."""
        if self.timeline is not None:
            yield self.timeline
            yield self.timeline.with_stem(f"{self.timeline.stem}-dark")
        if self.annotated is not None:
            yield self.annotated


def find(inputs: Sequence[Path], timeline: Path | None, annotated: Path | None) -> list[AskedVideo]:
    """The files that are meant; a folder stands for all videos in it, in order.

    Args:
        inputs: files and folders.
        timeline, annotated: folders for pictures and copies, in which a video lies as it does in
            the folder that was given.

    Raises:
        UserError: no such input, a folder without a video, a picture or copy that would be written
            over another or over a video.
    """
    found: list[AskedVideo] = []
    for given in inputs:
        if given.is_dir():
            files = sorted(file for file in given.rglob("*") if _is_video(file))
            if not files:
                raise errors.UserError(
                    f"{given}: no video in this folder; name files that end in another way than "
                    f"{', '.join(SUFFIXES)}"
                )
        elif given.is_file():
            files = [given]
        else:
            raise errors.UserError(f"{given}: no such file or folder")
        for file in files:
            place = file.relative_to(given) if given.is_dir() else Path(file.name)
            found.append(
                AskedVideo(
                    file,
                    timeline and timeline / place.with_suffix(".png"),
                    annotated and annotated / place.with_suffix(".mp4"),
                )
            )
    taken = {video.path.resolve() for video in found}
    for written in (path for video in found for path in video.written()):
        if written.resolve() in taken:
            raise errors.UserError(
                f"{written} would be written over an input, or twice; give another folder, or ask "
                "for the videos one after the other"
            )
        taken.add(written.resolve())
    return found


def _is_video(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and file.is_file()
