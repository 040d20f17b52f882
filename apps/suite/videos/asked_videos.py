"""Finds the videos that a person asks about, and where the files that are made of them lie."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from apps.suite import errors
from apps.suite.data import account, labelled_files
from apps.suite.videos.config import SUFFIXES


def find(inputs: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Yields each video and its place; a folder stands for all videos in it, in order.

    Files of a folder that are not videos are told on standard error. A place is a relative path:
    where the video lies in the folder that was given, or its name.

    Raises:
        UserError: no such input, or a folder without a video.
    """
    for given in inputs:
        if given.is_dir():
            files, others = labelled_files.below(given, SUFFIXES)
            if not files:
                raise errors.UserError(
                    f"{given}: no video in this folder; give files by name if they do not end in "
                    f"{', '.join(SUFFIXES)}"
                )
            if others:
                print(account.left_out(given, others), file=sys.stderr)
            for file in sorted(files):
                yield file, file.relative_to(given)
        elif given.is_file():
            yield given, Path(given.name)
        else:
            raise errors.UserError(f"{given}: no such file or folder")


def refuse_overwriting(videos: Iterable[Path], written: Iterable[Path]) -> None:
    """Raises UserError where a file would be written over a video, or twice."""
    taken = {video.resolve() for video in videos}
    for path in written:
        if path.resolve() in taken:
            raise errors.UserError(
                f"{path} would be written over an input, or twice; give another folder, or ask "
                "for the videos one after the other"
            )
        taken.add(path.resolve())
