"""Holds clips of labelled videos, and finds videos in the user's own files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.suite import errors
from apps.suite.commands import progress
from apps.suite.data import corpora, labelled_files
from apps.suite.data.config import OwnConfig

KIND = labelled_files.Kind("video", "group", whole_groups=True)


@dataclass(frozen=True)
class Clips:
    """Clips of a part. Those of a video are neighbours, and videos keep their order.

    The clips of one video are taken at equal distances from each other: of `clips_per_video` = 3
    the second holds the middle of each of `frames` equal parts of the video, the first what lies
    a third of a part before it, the third what lies a third after. A video that has no more
    frames than a clip, has one clip.
    """

    store: np.ndarray  # uint8 [stored, time, height, width, 3], RGB; a memory map of all parts
    rows: np.ndarray  # int64 [clips]: where each clip lies in it; see `read`
    lengths: np.ndarray  # int32 [clips], number of real frames; black ones follow
    labels: np.ndarray  # int32 [clips], indices of label_names
    video: np.ndarray  # int32 [clips], which video of the part a clip is of; ascending from 0
    names: tuple[str, ...]  # of each video
    groups: tuple[str, ...] | None = None  # of each video; None where there are none

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def video_labels(self) -> np.ndarray:
        """Returns int32 [videos], indices of label_names."""
        return self.labels[self.first_clips]

    @property
    def first_clips(self) -> np.ndarray:
        """Returns int64 [videos], the first clip of each video."""
        return np.searchsorted(self.video, np.arange(len(self.names)))

    def read(self, clips: np.ndarray | slice) -> np.ndarray:
        """Reads frames of these clips into memory: uint8 [clips, time, height, width, 3]."""
        return np.asarray(self.store[self.rows[clips]])


def joined(first: Clips, second: Clips) -> Clips:
    """Joins two parts of one store, the videos of `second` after the ones of `first`."""
    if first.store is not second.store:
        raise ValueError("clips of two stores cannot be joined")
    return Clips(
        store=first.store,
        rows=np.concatenate([first.rows, second.rows]),
        lengths=np.concatenate([first.lengths, second.lengths]),
        labels=np.concatenate([first.labels, second.labels]),
        video=np.concatenate([first.video, second.video + len(first.names)]).astype(np.int32),
        names=first.names + second.names,
        groups=first.groups + second.groups if first.groups and second.groups else None,
    )


@dataclass(frozen=True, kw_only=True)
class Corpus(corpora.Corpus[Clips]):
    """A data set, divided and sampled."""

    label_names: tuple[str, ...]  # in order of the alphabet, or as a TFDS set has them
    counts: dict[str, int]  # videos of each part
    skipped: tuple[str, ...] = ()  # `name: why` of what could not be decoded
    seconds: tuple[float, ...] = ()  # length of each decoded video; () where a set does not say
    unread: tuple[str, ...] = ()  # files of the folder that are not read, below it


@dataclass(frozen=True)
class Source:
    """All videos of a data set, before they are divided."""

    name: str
    licence: str
    source: str
    videos: tuple[labelled_files.Example, ...]
    label_names: tuple[str, ...]
    divided_by: str  # what names the parts, such as "column part of a.csv"; "" = nothing
    digests: tuple[str, ...]  # SHA-256 of each video, or of the set they are of
    paths: tuple[Path, ...] = ()  # of each video; () of a TFDS set
    unread: tuple[str, ...] = ()  # as `labelled_files.Found` has them
    notes: tuple[str, ...] = ()


def find_files(path: Path, own: OwnConfig) -> Source:
    """Returns the videos that a folder or a csv lists; reads every file once, for its checksum.

    See `labelled_files.find`. Videos are files that OpenCV decodes. The group of a video is the
    csv's column, or what the first group of `own.group_pattern` matches in the name of its file;
    videos of one group, such as clips of one film, go to one part.

    Raises:
        UserError: naming the folder, or the file and line.
    """
    found = labelled_files.find(path, KIND)
    labels = sorted({video.label for video in found.examples})
    if len(labels) < 2:
        raise errors.UserError(
            f"{path}: all {len(found.examples)} videos have the label {labels[0]!r}; two labels or "
            "more are needed"
        )
    if own.group_pattern:
        found = labelled_files.grouped(found, own.group_pattern)
    with progress.working("reading the videos"):
        digests = labelled_files.digests(found.paths)
    return Source(
        name=found.name,
        licence="your own",
        source=found.source,
        videos=found.examples,
        label_names=tuple(labels),
        divided_by=found.divided_by,
        digests=digests,
        paths=found.paths,
        unread=found.unread,
        notes=found.notes,
    )
