"""What data is to this task: clips of labelled videos, in three parts."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

PARTS = ("train", "validation", "test")


class Video(NamedTuple):
    """One video of a data set; its frames lie in a file or in a set."""

    name: str  # path below the data's folder, or `test/00042` of a TFDS set; in reports and errors
    label: str
    group: str = ""  # what must not be on two sides, such as a scene; "" where nobody says
    part: str = ""  # train, validation or test, where the data say so


@dataclass(frozen=True)
class Clips:
    """Clips of a part. Those of a video are neighbours, and videos keep their order.

    The clips of one video are taken at equal distances from each other: of `clips_per_video` = 3
    the second holds the middle of each of `frames` equal parts of the video, the first what lies
    a third of a part before it, the third what lies a third behind. A video that has no more
    frames than a clip, has one clip.
    """

    store: np.ndarray  # uint8 [stored, time, height, width, 3], RGB; a memory map of all parts
    rows: np.ndarray  # int64 [clips]: where each clip lies in it; see `read`
    lengths: np.ndarray  # int32 [clips]: so many frames are real, black ones follow
    labels: np.ndarray  # int32 [clips], indices of label_names
    video: np.ndarray  # int32 [clips], which video of the part a clip is of; ascending from 0
    names: tuple[str, ...]  # of each video
    groups: tuple[str, ...] | None = None  # of each video; None where there are none

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def video_labels(self) -> np.ndarray:
        """Int32 [videos], indices of label_names."""
        return self.labels[self.first_clips]

    @property
    def first_clips(self) -> np.ndarray:
        """Int64 [videos]: the first clip of each video."""
        return np.searchsorted(self.video, np.arange(len(self.names)))

    def read(self, clips: np.ndarray | slice) -> np.ndarray:
        """Frames of these clips: uint8 [clips, time, height, width, 3], in memory."""
        return np.asarray(self.store[self.rows[clips]])


def joined(first: Clips, second: Clips) -> Clips:
    """Two parts of one store as one, the videos of `second` behind those of `first`."""
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


@dataclass(frozen=True)
class Corpus:
    """A data set, divided and sampled."""

    name: str
    licence: str
    source: str
    fingerprint: str  # SHA-256 of names, labels, groups, parts and content
    split: str  # one sentence, such as "by group: 42 groups train, 9 validation, 9 test"
    label_names: tuple[str, ...]  # in order of the alphabet, or as a TFDS set has them
    train: Clips
    validation: Clips
    test: Clips
    counts: dict[str, int]  # videos of each part
    skipped: tuple[str, ...] = ()  # `name: why` of what could not be decoded


@dataclass(frozen=True)
class Source:
    """All videos of a data set, before they are divided."""

    name: str
    licence: str
    source: str
    videos: tuple[Video, ...]
    label_names: tuple[str, ...]
    divided_by: (
        str  # what says the parts, such as "column part of clips.csv"; "" where nothing does
    )
    digests: tuple[str, ...]  # SHA-256 of each video, or of the set they are of
    paths: tuple[Path, ...] = ()  # of each video; () of a TFDS set
