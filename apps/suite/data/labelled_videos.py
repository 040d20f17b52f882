"""The user's own videos: a folder for each label, or a csv file that lists them."""

import hashlib
import re
from collections.abc import Sequence
from concurrent import futures
from pathlib import Path

from apps.suite import errors
from apps.suite.data import videos_csv
from apps.suite.data.config import OwnConfig
from apps.video_classification import clips

_NO_CLIPS = {"desktop.ini", "thumbs.db"}  # what systems leave in folders


def find(path: Path, config: OwnConfig) -> clips.Source:
    """What a folder or a csv file lists. Every file is read once, for its checksum.

    A folder holds one folder for each label, with videos in it. A csv has the header `path,label`,
    and may have `group` and `part` (train, validation or test); paths begin at the csv's folder.
    Videos are what OpenCV decodes.

    The group of a video is its csv's column, or what the first group of `own.group_pattern`
    matches in the name of its file; videos of one group, such as clips of one film, go to one part.

    Raises:
        UserError: naming the folder, or the file and line.
    """
    if path.is_dir():
        found, paths, divided_by = _folder(path)
    elif path.suffix.lower() == ".csv":
        found, paths, divided_by = videos_csv.find(path)
    else:
        raise errors.UserError(f"{path}: give a folder with a folder for each label, or a csv")
    labels = sorted({video.label for video in found})
    if len(labels) < 2:
        raise errors.UserError(
            f"{path}: all {len(found)} videos have the label {labels[0]!r}; two labels or more "
            "are needed"
        )
    if config.group_pattern:
        found = _grouped(found, paths, config.group_pattern)
    return clips.Source(
        name=path.resolve().name,
        licence="your own",
        source=str(path.resolve()),
        videos=tuple(found),
        label_names=tuple(labels),
        divided_by=divided_by,
        paths=tuple(paths),
        digests=_digests(paths),
    )


def _folder(folder: Path) -> tuple[list[clips.Video], list[Path], str]:
    labels = sorted(each for each in folder.iterdir() if each.is_dir() and each.name[0] != ".")
    if not labels:
        raise errors.UserError(
            f"{folder}: no folder in it; make one for each label, with its videos in it"
        )
    found, paths = [], []
    for label in labels:
        files = sorted(file for file in label.iterdir() if _may_be_a_clip(file))
        if not files:
            raise errors.UserError(
                f"{label}: no file in this folder; put videos of {label.name!r} there, or remove it"
            )
        for file in files:
            found.append(clips.Video(f"{label.name}/{file.name}", label.name))
            paths.append(file)
    return found, paths, ""


def _may_be_a_clip(file: Path) -> bool:
    return file.is_file() and file.name[0] != "." and file.name.lower() not in _NO_CLIPS


def _grouped(found: Sequence[clips.Video], paths: Sequence[Path], text: str) -> list[clips.Video]:
    """The videos with the groups that a pattern finds in the names of their files."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise errors.UserError(f"own.group_pattern {text!r}: {error}") from None
    if not pattern.groups:
        raise errors.UserError(
            f"own.group_pattern {text!r} has no group in brackets; write for instance '^([^_]+)_'"
        )
    grouped, without = [], []
    for video, path in zip(found, paths, strict=True):
        if video.group:
            raise errors.UserError(
                f"{video.name}: has the group {video.group!r} by the csv's column; leave "
                "own.group_pattern out, or the column"
            )
        match = pattern.search(path.name)
        grouped.append(video._replace(group=(match[1] or "") if match else ""))
        if not grouped[-1].group:
            without.append(video.name)
    if without:
        raise errors.UserError(
            f"own.group_pattern {text!r} finds no group in {len(without)} of {len(found)} names, "
            f"the first is {without[0]}; mend the pattern, or list the videos in a csv"
        )
    return grouped


def _digests(paths: Sequence[Path]) -> tuple[str, ...]:
    """SHA-256 of each file."""
    with futures.ThreadPoolExecutor() as pool:  # hashing and reading run beside each other
        return tuple(pool.map(_digest, paths))


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise errors.UserError(f"{path}: cannot be read: {error.strerror}") from None
