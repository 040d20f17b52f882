"""What data is to this task: recordings of labelled words, in three parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

SILENCE = "silence"
UNKNOWN = "unknown"
BACKGROUND = "_background_noise_"  # a folder or label of recordings without words
PARTS = ("train", "validation", "test")
# As the Speech Commands data and the TFDS catalogue name them
_OTHER_NAMES = {"_silence_": SILENCE, "_unknown_": UNKNOWN}


class Recording(NamedTuple):
    """One clip; its samples come from the `Part` that holds it."""

    name: str  # path below the data's folder, or `test/00042` of a TFDS set; in reports and errors
    label: str
    speaker: str  # "" where unknown, or where nobody speaks


class Place(NamedTuple):
    """Where samples lie: frames of a file."""

    file: str  # below the reader's folder, or an absolute path
    first_frame: int = 0
    frames: int | None = None  # None = all that follow


class Reader(Protocol):
    """Gets samples from places; pickles, and without samples."""

    def read(self, place: Place) -> np.ndarray:
        """As `Part.waveform`."""
        ...

    def digests(self, places: Sequence[Place]) -> list[str]:
        """What lies at each place, as SHA-256; errors.UserError where it is plainly unusable."""
        ...


class Part(Protocol):
    """Recordings in a fixed order. Goes to worker processes: it pickles, and without samples."""

    @property
    def recordings(self) -> tuple[Recording, ...]: ...

    def waveform(self, index: int) -> np.ndarray:
        """Float32 [samples], mono, at `audio.sample_rate_hz`, in -1..1.

        Another rate's samples were resampled, which may overshoot 1 by a little. Raises
        errors.UserError where the recording cannot be used, with its path and the reason.
        """
        ...


@dataclass(frozen=True)
class Corpus:
    """A data set, divided."""

    name: str
    licence: str
    source: str
    fingerprint: str  # SHA-256 of names, labels, speakers, parts and content
    split: str  # one sentence, such as "by speaker: 42 voices train, 9 validation, 9 test"
    label_names: tuple[str, ...]  # words in order of the alphabet, then silence, then unknown
    train: Part
    validation: Part
    test: Part
    # Sounds without words of the training side, to be mixed in: float32 [samples] at
    # audio.sample_rate_hz each; () where there are none
    noise: tuple[np.ndarray, ...]


def label_of(name: str) -> str:
    """The label that the name of a folder, in a csv or of a class stands for."""
    return _OTHER_NAMES.get(name, name)


def label_names(labels: set[str]) -> tuple[str, ...]:
    """The words in order of the alphabet, then silence and unknown where they are among them."""
    last = tuple(name for name in (SILENCE, UNKNOWN) if name in labels)
    return (*sorted(labels - set(last)), *last)


@dataclass(frozen=True)
class Clips:
    """A `Part` whose recordings lie at places that one `Reader` knows."""

    recordings: tuple[Recording, ...]
    places: tuple[Place, ...]  # one for each recording
    reader: Reader

    def waveform(self, index: int) -> np.ndarray:
        return self.reader.read(self.places[index])


@dataclass(frozen=True)
class Source:
    """All recordings of a data set, before they are divided."""

    name: str
    licence: str
    source: str
    recordings: tuple[Recording, ...]
    places: tuple[Place, ...]  # one for each recording
    parts: tuple[str, ...]  # of each recording: train, validation, test; train where not said
    divided_by: str  # what says so, such as "column part of words.csv"; "" where nothing does
    reader: Reader
    background: tuple[Path, ...]  # sound files without words
