"""Finds recordings of labelled words: in the user's own files, and in TFDS sets."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from apps.suite.data import corpora, labelled_files, named_sets, sound_places
from apps.suite.sounds import sound_files

SILENCE = "silence"
UNKNOWN = "unknown"
BACKGROUND = "_background_noise_"  # a folder or label of recordings without words
# As the Speech Commands data and the TFDS catalogue name them
_OTHER_NAMES = {"_silence_": SILENCE, "_unknown_": UNKNOWN}


class Recording(NamedTuple):
    """One clip; its samples come from the `Part` that holds it."""

    name: str  # path below the data's folder, or `test/00042` of a TFDS set; in reports and errors
    label: str
    speaker: str  # "" where unknown, or where nobody speaks


class Part(Protocol):
    """Recordings in a fixed order. Goes to worker processes: it pickles, and without samples."""

    @property
    def recordings(self) -> tuple[Recording, ...]: ...

    def waveform(self, index: int) -> np.ndarray:
        """Returns the sound, float32 [samples], mono, at `audio.sample_rate_hz`, in -1..1.

        Another rate's samples were resampled, which may overshoot 1 by a little. Raises
        errors.UserError where the recording cannot be used, with its path and the reason.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Corpus(corpora.Corpus[Part]):
    """A data set, divided."""

    label_names: tuple[str, ...]  # words in order of the alphabet, then silence, then unknown
    # Sounds without words of the training side, to be mixed in: float32 [samples] at
    # audio.sample_rate_hz each; () where there are none
    noise: tuple[np.ndarray, ...]
    clip_seconds: float = 1.0  # of a stream that is judged: the config's, or of the recordings
    seconds: tuple[float, ...] = ()  # length of each recording of a label, of all parts
    unread: tuple[str, ...] = ()  # files of the folder that are not read, below it


def label_of(name: str) -> str:
    """Returns the label for the name of a folder, of a class or in a csv."""
    return _OTHER_NAMES.get(name, name)


def label_names(labels: set[str]) -> tuple[str, ...]:
    """Returns the words in alphabetical order, then silence and unknown if they are among them."""
    last = tuple(name for name in (SILENCE, UNKNOWN) if name in labels)
    return (*sorted(labels - set(last)), *last)


Clips = sound_places.Clips[Recording]
"""A `Part` whose recordings lie at places that one `Reader` knows."""


Source = sound_places.Source[Recording]
"""All recordings of a data set, before they are divided; parts are "train" where not said."""

KIND = labelled_files.Kind("recording", "speaker", sound_files.SUFFIXES, aside=BACKGROUND)


def find_files(path: Path, sample_rate_hz: int) -> Source:
    """Returns the recordings that a folder or a csv lists; no recording is opened.

    See `labelled_files.find`. The label `_background_noise_` marks noise without words;
    `_silence_` and `_unknown_` mean silence and unknown. The speaker is the csv's column, or what
    precedes `_nohash_` in the name of a folder's file.

    Raises:
        UserError: naming the folder, or the file and line.
    """
    found = labelled_files.find(path, KIND)
    recordings = []
    for example, file in zip(found.examples, found.paths, strict=True):
        speaker = example.group
        if path.is_dir():
            before, mark, _ = file.name.partition("_nohash_")
            speaker = before if mark else ""
        recordings.append(Recording(example.name, label_of(example.label), speaker))
    folder = path.resolve() if path.is_dir() else path.resolve().parent
    return Source(
        name=found.name,
        licence="your own",
        source=found.source,
        recordings=tuple(recordings),
        places=tuple(sound_places.Place(recording.name) for recording in recordings),
        parts=tuple(example.part or "train" for example in found.examples),
        divided_by=found.divided_by,
        reader=sound_places.FileReader(folder, sample_rate_hz),
        background=found.aside,
        unread=found.unread,
        notes=found.notes,
    )


_SPEAKERS = ("voice", "speaker", "speaker_id")  # features that say who speaks; the first there is


def find_set(name: str, sample_rate_hz: int) -> Source:
    """Returns the recordings of a TFDS set with an `audio` and a `label` feature.

    A `voice`, `speaker` or `speaker_id` feature says who speaks. The splits train, validation and
    test are the parts; other splits are left alone. The first call lays the samples out in the
    cache folder, where later ones find them.

    Raises:
        UserError: no such set, not one of labelled sounds, or one without the split train.
    """
    builder = named_sets.prepare_with(name, "audio", "label")
    features = builder.info.features
    speaker = next((feature for feature in _SPEAKERS if feature in features), "")

    def described(named: str, label: str, who: str) -> Recording:
        return Recording(named, label_of(label), who)

    columns = ("label", speaker)
    return sound_places.of_set(builder, name, "audio", columns, sample_rate_hz, described)
