"""Reads the sounds of a data set from where they lie: sound files, or the samples of a TFDS set.

Samples of a TFDS set are laid out once in one file for random access.
"""

import hashlib
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from apps.suite import errors
from apps.suite.commands import progress
from apps.suite.data import account, labelled_files
from apps.suite.runs import cache
from apps.suite.runs import files as whole_files
from apps.suite.sounds import sound_files

STANDARD_INPUT = "-"
_FILE_BLOCK_SECONDS = 1.0
_PIPE_BLOCK_SECONDS = 0.1  # a pipe may be a microphone, which should be answered at once


class Place(NamedTuple):
    """Place of samples: frames of a file."""

    file: str  # below the reader's folder, or an absolute path
    first_frame: int = 0
    frames: int | None = None  # None = all that follow


class Reader(Protocol):
    """Gets samples from places; pickles, and without samples."""

    def read(self, place: Place) -> np.ndarray:
        """Returns the sound, float32 [samples], mono, at the wanted rate, in -1..1.

        Another rate's samples were resampled, which may overshoot 1 by a little. Raises UserError
        where the place cannot be used, with its path and the reason.
        """
        ...

    def digests(self, places: Sequence[Place]) -> list[str]:
        """Returns the SHA-256 of the content of each place; UserError for unusable content."""
        ...

    def seconds(self, places: Sequence[Place]) -> list[float]:
        """Returns the length of each place; UserError for a header that cannot be used."""
        ...


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


class Described(Protocol):
    """A recording as its task knows it: a tuple that begins with its name."""

    @property
    def name(self) -> str: ...
    def __getitem__(self, at: slice, /) -> tuple[Any, ...]: ...


Recording = TypeVar("Recording", bound=Described)


@dataclass(frozen=True)
class Clips(Generic[Recording]):
    """Recordings of a part; pickles without samples, for the processes that extract features."""

    recordings: tuple[Recording, ...]
    places: tuple[Place, ...]  # one for each recording
    reader: Reader

    def waveform(self, index: int) -> np.ndarray:
        """Returns float32 [samples] at the rate of the reader."""
        return self.reader.read(self.places[index])


@dataclass(frozen=True, kw_only=True)
class Source(Generic[Recording]):
    """All recordings of a data set, before they are divided.

    Attributes:
        name, licence, source: of the data.
        recordings, places, parts: of each one; a part is "" where the data name none.
        divided_by: what names the parts, such as "column part of words.csv"; "" where nothing does.
        reader: of the places.
        background: sound files without words.
        unread: as `labelled_files.Found` has them.
        notes: what was understood and might surprise, a sentence each.
    """

    name: str
    licence: str
    source: str
    recordings: tuple[Recording, ...]
    places: tuple[Place, ...]
    parts: tuple[str, ...]
    divided_by: str
    reader: Reader
    background: tuple[Path, ...] = ()
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def add_content(digest: Any, parts: Mapping[str, Clips[Any]]) -> None:
    """Adds the first three fields of all recordings, their parts and their content to a hash."""
    for part, held in parts.items():
        contents = held.reader.digests(held.places)
        for each, place, content in zip(held.recordings, held.places, contents, strict=True):
            facts = (part, *each[:3], place.first_frame, place.frames, content)
            digest.update("\n".join(map(str, facts)).encode() + b"\0")


_SAMPLES, _INDEX = "samples.int16", "index.npz"
_LAYOUT = 2  # of these two files


class LaidOut(NamedTuple):
    """Sounds of a TFDS set in one file, part by part in stored order.

    Attributes:
        folder: of the file, for a `SampleReader`.
        names: such as `test/00042`.
        places: of the samples.
        parts: train, validation or test.
        columns: text of other features by their names, such as the label of each sound.
    """

    folder: Path
    names: tuple[str, ...]
    places: tuple[Place, ...]
    parts: tuple[str, ...]
    columns: Mapping[str, list[str]]


def of_set(
    builder: Any,
    name: str,
    audio: str,
    columns: Sequence[str],
    sample_rate_hz: int,
    describe: Callable[..., Recording],
) -> Source[Recording]:
    """Returns a TFDS set of sounds, whose parts are its splits; see `laid_out`.

    Args:
        builder, name, audio: as there.
        columns: likewise; "" for one that the set does not have.
        sample_rate_hz: to which samples are brought.
        describe: returns a recording, given its name and the texts of the columns.

    Raises:
        UserError: a set that does not say its sample rate, or that has no split train.
    """
    info = builder.info
    rate = getattr(info.features[audio], "sample_rate", None)
    if not rate:
        raise errors.UserError(f"{name}: does not say its sample rate; write it out as wav files")
    if "train" not in info.splits:
        raise errors.UserError(f"{name}: has no split train, only {', '.join(info.splits)}")
    laid = laid_out(builder, name, audio, [each for each in columns if each])
    texts = [laid.columns[each] if each else [""] * len(laid.names) for each in columns]
    return Source(
        name=name,
        licence=info.redistribution_info.license or "see source",
        source=info.homepage or info.full_name,
        recordings=tuple(itertools.starmap(describe, zip(laid.names, *texts, strict=True))),
        places=laid.places,
        parts=laid.parts,
        divided_by=f"the splits of {info.full_name}" if len(set(laid.parts)) > 1 else "",
        reader=SampleReader(laid.folder, rate, sample_rate_hz),
    )


def laid_out(builder: Any, name: str, audio: str, columns: Sequence[str]) -> LaidOut:
    """Returns the sounds of a set, which the first call writes into the cache folder.

    The folder's name depends on the set, its version, the features that are read, and the names,
    sizes and dates of the set's files. The index is written last and marks completeness.

    Args:
        builder: of a set that is prepared (`named_sets.prepare`).
        name: of the set, for errors.
        audio: the feature that holds the sound.
        columns: features that are kept beside it, as text.

    Raises:
        UserError: a sound without a sample, or with samples that do not fit 16 bits.
    """
    files = sorted(file for file in Path(builder.data_path).iterdir() if file.is_file())
    facts = [str(_LAYOUT), builder.info.full_name, audio, *columns]
    facts += [f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files]
    key = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
    folder = cache.folder("speech_sets") / f"{builder.info.name}-{key}"
    if not (folder / _INDEX).is_file():
        _lay_out(builder, name, audio, columns, folder)
    with np.load(folder / _INDEX) as index:
        starts, parts = index["starts"].tolist(), index["parts"].tolist()
        kept = {column: index[f"column_{at}"].tolist() for at, column in enumerate(columns)}
    counts = dict.fromkeys(parts, 0)
    names = []
    for part in parts:
        names.append(f"{part}/{counts[part]:05d}")
        counts[part] += 1
    places = (Place(_SAMPLES, start, end - start) for start, end in itertools.pairwise(starts))
    return LaidOut(folder, tuple(names), tuple(places), tuple(parts), kept)


def _lay_out(builder: Any, name: str, audio: str, columns: Sequence[str], folder: Path) -> None:
    whole_files.make_folder(folder)
    starts, parts = [0], []
    kept: list[list[str]] = [[] for _ in columns]
    with (
        whole_files.replacing(folder / _SAMPLES) as partial,
        partial.open("wb") as output,
    ):
        total = sum(builder.info.splits[part].num_examples for part in _parts(builder))
        examples = progress.watched(
            _examples(builder, name, audio, columns), f"{name}: reading sounds", total
        )
        for part, values, samples in examples:
            output.write(samples.astype("<i2").tobytes())
            starts.append(starts[-1] + len(samples))
            parts.append(part)
            for column, value in zip(kept, values, strict=True):
                column.append(value)
    with whole_files.replacing(folder / _INDEX) as partial:
        held: dict[str, Any] = {f"column_{at}": np.array(values) for at, values in enumerate(kept)}
        np.savez(partial, starts=np.array(starts, np.int64), parts=np.array(parts), **held)


def _parts(builder: Any) -> list[str]:
    return [part for part in labelled_files.PARTS if part in builder.info.splits]


def _examples(
    builder: Any, name: str, audio: str, columns: Sequence[str]
) -> Iterator[tuple[str, list[str], np.ndarray]]:
    """Yields (part, texts of the columns, int16 samples) of every example, part by part."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    wanted = dict.fromkeys((audio, *columns), True)
    for part in _parts(builder):
        examples = builder.as_dataset(
            split=part, shuffle_files=False, decoders=tfds.decode.PartialDecoding(wanted)
        )
        for number, example in enumerate(examples.as_numpy_iterator()):
            texts = [_text(features[column], example[column]) for column in columns]
            yield part, texts, _int16(example[audio], f"{name}: {part}/{number:05d}")


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


def asked(names: Sequence[str]) -> Iterator[str]:
    """Yields the sound files that a person names; a folder stands for all in it, in order.

    "-" stands for standard input, and stays. Files of a folder that are not sounds are told on
    standard error.

    Raises:
        UserError: a name of nothing, or a folder without sounds.
    """
    for name in names:
        path = Path(name)
        if name == STANDARD_INPUT:
            yield name
        elif path.is_dir():
            found, others = labelled_files.below(path, sound_files.SUFFIXES)
            if not found:
                raise errors.UserError(f"{path}: no {sound_files.KINDS} file in this folder")
            if others:
                print(account.left_out(path, others), file=sys.stderr)
            yield from map(str, sorted(found))
        elif path.is_file():
            yield name
        else:
            raise errors.UserError(f"{path}: no such file or folder")


def blocks(name: str, sample_rate_hz: int, raw_rate_hz: int | None) -> Iterator[np.ndarray]:
    """Yields the sound of a file, or of standard input, block by block; see `sound_files.blocks`.

    Args:
        name: of `asked`.
        sample_rate_hz: of the samples that are yielded.
        raw_rate_hz: of standard input, None for the same.
    """
    if name == STANDARD_INPUT:
        source, rate = sys.stdin.buffer, raw_rate_hz or sample_rate_hz
        return sound_files.raw_blocks(source, rate, sample_rate_hz, _PIPE_BLOCK_SECONDS)
    return sound_files.blocks(Path(name), sample_rate_hz, _FILE_BLOCK_SECONDS)
