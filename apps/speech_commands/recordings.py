"""Finds recordings of labelled words: in the user's own files, and in TFDS sets.

Samples of a TFDS set are laid out once in one file for random access.
"""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from apps.suite import errors
from apps.suite.commands import progress
from apps.suite.data import labelled_files, named_sets
from apps.suite.runs import cache
from apps.suite.runs import files as whole_files
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


class Place(NamedTuple):
    """Place of samples: frames of a file."""

    file: str  # below the reader's folder, or an absolute path
    first_frame: int = 0
    frames: int | None = None  # None = all that follow


class Reader(Protocol):
    """Gets samples from places; pickles, and without samples."""

    def read(self, place: Place) -> np.ndarray:
        """Reads samples as `Part.waveform` does."""
        ...

    def digests(self, places: Sequence[Place]) -> list[str]:
        """Returns the SHA-256 of the content of each place; UserError for unusable content."""
        ...

    def seconds(self, places: Sequence[Place]) -> list[float]:
        """Returns the length of each place; UserError for a header that cannot be used."""
        ...


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
    clip_seconds: float = 1.0  # of a stream that is judged: the config's, or of the recordings
    seconds: tuple[float, ...] = ()  # length of each recording of a label, of all parts
    unread: tuple[str, ...] = ()  # files of the folder that are not read, below it
    notes: tuple[str, ...] = ()  # what was understood and might surprise, a sentence each


def label_of(name: str) -> str:
    """Returns the label for the name of a folder, of a class or in a csv."""
    return _OTHER_NAMES.get(name, name)


def label_names(labels: set[str]) -> tuple[str, ...]:
    """Returns the words in alphabetical order, then silence and unknown if they are among them."""
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
    unread: tuple[str, ...] = ()  # as `labelled_files.Found` has them
    notes: tuple[str, ...] = ()


KIND = labelled_files.Kind("recording", "speaker", sound_files.SUFFIXES, aside=BACKGROUND)


@dataclass(frozen=True)
class FileReader:
    """Reads clips from files below a folder, or at absolute paths."""

    folder: Path
    sample_rate_hz: int  # of the clips; files are resampled to it

    def read(self, place: Place) -> np.ndarray:
        path = self.folder / place.file
        return sound_files.read(path, self.sample_rate_hz, place.first_frame, place.frames)

    def digests(self, places: Sequence[Place]) -> list[str]:
        """Reads every header as well: unusable files are refused before any work is done."""
        with futures.ThreadPoolExecutor() as pool:  # hashing and reading overlap
            return list(pool.map(self._digest, places))

    def seconds(self, places: Sequence[Place]) -> list[float]:
        with futures.ThreadPoolExecutor() as pool:
            return list(pool.map(self._seconds, places))

    def _seconds(self, place: Place) -> float:
        declared = sound_files.length(self.folder / place.file)
        if place.frames is None:
            return declared.seconds
        return place.frames / declared.sample_rate_hz

    def _digest(self, place: Place) -> str:
        path = self.folder / place.file
        if place.frames is None:
            sound_files.check_clip(path)
        return labelled_files.digest(path)


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
        places=tuple(Place(recording.name) for recording in recordings),
        parts=tuple(example.part or "train" for example in found.examples),
        divided_by=found.divided_by,
        reader=FileReader(folder, sample_rate_hz),
        background=found.aside,
        unread=found.unread,
        notes=found.notes,
    )


_SPEAKERS = ("voice", "speaker", "speaker_id")  # features that say who speaks; the first there is
_SAMPLES, _INDEX = "samples.int16", "index.npz"
_LAYOUT = 1  # of these two files


@dataclass(frozen=True)
class SampleReader:
    """Reads clips from a file of little-endian int16; a `Place` counts samples in it."""

    folder: Path
    set_rate_hz: int
    sample_rate_hz: int  # to which they are brought

    def read(self, place: Place) -> np.ndarray:
        import soxr

        samples = self._stored(place).astype(np.float32) / 32768
        return soxr.resample(samples, self.set_rate_hz, self.sample_rate_hz)

    def digests(self, places: Sequence[Place]) -> list[str]:
        with futures.ThreadPoolExecutor() as pool:  # hashing and reading run beside each other
            return list(pool.map(self._digest, places))

    def seconds(self, places: Sequence[Place]) -> list[float]:
        return [(place.frames or 0) / self.set_rate_hz for place in places]

    def _digest(self, place: Place) -> str:
        return hashlib.sha256(self._stored(place).tobytes()).hexdigest()

    def _stored(self, place: Place) -> np.ndarray:
        assert place.frames is not None
        file = self.folder / place.file
        return np.fromfile(file, "<i2", place.frames, offset=2 * place.first_frame)


def find_set(name: str, sample_rate_hz: int) -> Source:
    """Returns the recordings of a TFDS set with an `audio` and a `label` feature.

    A `voice`, `speaker` or `speaker_id` feature says who speaks. The splits train, validation and
    test are the parts; other splits are left alone. The first call lays the samples out in the
    cache folder, where later ones find them.

    Raises:
        UserError: no such set, not one of labelled sounds, or one without the split train.
    """
    builder = named_sets.prepare(name)
    features, info = builder.info.features, builder.info
    lacking = [feature for feature in ("audio", "label") if feature not in features]
    if lacking:
        raise errors.UserError(
            f"{name}: has no {' and no '.join(lacking)} feature; it cannot be learned by this task"
        )
    rate = getattr(features["audio"], "sample_rate", None)
    if not rate:
        raise errors.UserError(
            f"{name}: does not say its sample rate; write it out as wav files in a folder per word"
        )
    if "train" not in info.splits:
        raise errors.UserError(f"{name}: has no split train, only {', '.join(info.splits)}")
    folder = _laid_out(builder, name)
    with np.load(folder / _INDEX) as index:
        starts, labels = index["starts"].tolist(), index["labels"].tolist()
        speakers, parts = index["speakers"].tolist(), index["parts"].tolist()
    counts = dict.fromkeys(parts, 0)
    found = []
    for label, speaker, part in zip(labels, speakers, parts, strict=True):
        found.append(Recording(f"{part}/{counts[part]:05d}", label, speaker))
        counts[part] += 1
    return Source(
        name=name,
        licence=info.redistribution_info.license or "see source",
        source=info.homepage or info.full_name,
        recordings=tuple(found),
        places=tuple(
            Place(_SAMPLES, start, end - start) for start, end in itertools.pairwise(starts)
        ),
        parts=tuple(parts),
        divided_by=f"the splits of {info.full_name}" if len(counts) > 1 else "",
        reader=SampleReader(folder, rate, sample_rate_hz),
        background=(),
    )


def _laid_out(builder: Any, name: str) -> Path:
    """Returns the folder with samples and index; the index is written last and marks completeness.

    Its name depends on the set, its version, and the names, sizes and dates of its files.
    """
    files = sorted(file for file in Path(builder.data_path).iterdir() if file.is_file())
    facts = [str(_LAYOUT), builder.info.full_name]
    facts += [f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files]
    key = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
    folder = cache.folder("speech_sets") / f"{builder.info.name}-{key}"
    if (folder / _INDEX).is_file():
        return folder
    whole_files.make_folder(folder)
    starts, labels, speakers, parts = [0], [], [], []
    with (
        whole_files.replacing(folder / _SAMPLES) as partial,
        partial.open("wb") as output,
    ):
        total = sum(builder.info.splits[part].num_examples for part in _parts(builder))
        examples = progress.watched(_examples(builder, name), f"{name}: reading sounds", total)
        for part, label, speaker, samples in examples:
            output.write(samples.astype("<i2").tobytes())
            starts.append(starts[-1] + len(samples))
            labels.append(label)
            speakers.append(speaker)
            parts.append(part)
    with whole_files.replacing(folder / _INDEX) as partial:
        np.savez(
            partial,
            starts=np.array(starts, np.int64),
            labels=np.array(labels),
            speakers=np.array(speakers),
            parts=np.array(parts),
        )
    return folder


def _parts(builder: Any) -> list[str]:
    return [part for part in labelled_files.PARTS if part in builder.info.splits]


def _examples(builder: Any, name: str) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Yields (part, label, speaker, int16 samples) of every example, part by part."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    speaker = next((feature for feature in _SPEAKERS if feature in features), None)
    wanted = {feature: True for feature in ("audio", "label", speaker) if feature}
    for part in _parts(builder):
        examples = builder.as_dataset(
            split=part, shuffle_files=False, decoders=tfds.decode.PartialDecoding(wanted)
        )
        for number, example in enumerate(examples.as_numpy_iterator()):
            label = label_of(_text(features["label"], example["label"]))
            who = _text(features[speaker], example[speaker]) if speaker else ""
            yield part, label, who, _int16(example["audio"], f"{name}: {part}/{number:05d}")


def _text(feature: Any, value: Any) -> str:
    if hasattr(feature, "int2str") and feature.num_classes:
        return str(feature.int2str(int(value)))
    return value.decode() if isinstance(value, bytes) else str(value)


def _int16(samples: np.ndarray, place: str) -> np.ndarray:
    """Converts [samples (, channels)], integers or floats in -1..1, to int16 [samples]."""
    scale = 32767 if np.issubdtype(samples.dtype, np.floating) else 1
    mixed = samples.mean(axis=1) if samples.ndim == 2 else samples
    if not len(mixed):
        raise errors.UserError(f"{place} holds no sample; this set cannot be learned")
    scaled = np.rint(mixed.astype(np.float64) * scale)
    if not np.isfinite(scaled).all() or np.abs(scaled).max() > 32768:
        raise errors.UserError(f"{place} has samples that are not numbers or are beyond 16 bits")
    return np.clip(scaled, -32768, 32767).astype(np.int16)
