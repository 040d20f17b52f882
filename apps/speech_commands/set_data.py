"""Recordings of TFDS sets, whose samples are laid out once in one file for random access."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps import dataset_builders, errors, whole_files
from apps.speech_commands import cache_folder, recordings

_SPEAKERS = ("voice", "speaker", "speaker_id")  # features that say who speaks; the first there is
_SAMPLES, _INDEX = "samples.int16", "index.npz"
_LAYOUT = 1  # of these two files


@dataclass(frozen=True)
class SampleReader:
    """Reads clips from a file of little-endian int16; a `Place` counts samples in it."""

    folder: Path
    set_rate_hz: int
    sample_rate_hz: int  # to which they are brought

    def read(self, place: recordings.Place) -> np.ndarray:
        import soxr

        samples = self._stored(place).astype(np.float32) / 32768
        return soxr.resample(samples, self.set_rate_hz, self.sample_rate_hz)

    def digests(self, places: Sequence[recordings.Place]) -> list[str]:
        with futures.ThreadPoolExecutor() as pool:  # hashing and reading run beside each other
            return list(pool.map(self._digest, places))

    def _digest(self, place: recordings.Place) -> str:
        return hashlib.sha256(self._stored(place).tobytes()).hexdigest()

    def _stored(self, place: recordings.Place) -> np.ndarray:
        assert place.frames is not None
        file = self.folder / place.file
        return np.fromfile(file, "<i2", place.frames, offset=2 * place.first_frame)


def find(name: str, sample_rate_hz: int) -> recordings.Source:
    """The recordings of a TFDS set with an `audio` and a `label` feature.

    A `voice`, `speaker` or `speaker_id` feature says who speaks. The splits train, validation and
    test are the parts; other splits are left alone. The first call lays the samples out in the
    cache folder, where later ones find them.

    Raises:
        UserError: no such set, not one of labelled sounds, or one without the split train.
    """
    builder = dataset_builders.prepare(name)
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
        found.append(recordings.Recording(f"{part}/{counts[part]:05d}", label, speaker))
        counts[part] += 1
    return recordings.Source(
        name=name,
        licence=info.redistribution_info.license or "see source",
        source=info.homepage or info.full_name,
        recordings=tuple(found),
        places=tuple(
            recordings.Place(_SAMPLES, start, end - start)
            for start, end in itertools.pairwise(starts)
        ),
        parts=tuple(parts),
        divided_by=f"the splits of {info.full_name}" if len(counts) > 1 else "",
        reader=SampleReader(folder, rate, sample_rate_hz),
        background=(),
    )


def _laid_out(builder: Any, name: str) -> Path:
    """The folder with samples and index; the index is written last, so that it means all is there.

    Its name depends on the set, its version, and the names, sizes and dates of its files.
    """
    files = sorted(file for file in Path(builder.data_path).iterdir() if file.is_file())
    facts = [str(_LAYOUT), builder.info.full_name]
    facts += [f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files]
    key = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
    folder = cache_folder.folder("speech_sets") / f"{builder.info.name}-{key}"
    if (folder / _INDEX).is_file():
        return folder
    whole_files.make_folder(folder)
    starts, labels, speakers, parts = [0], [], [], []
    with (
        whole_files.replacing(folder / _SAMPLES) as partial,
        partial.open("wb") as output,
    ):
        for part, label, speaker, samples in _examples(builder, name):
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


def _examples(builder: Any, name: str) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """(part, label, speaker, int16 samples) of every example, part by part."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    speaker = next((feature for feature in _SPEAKERS if feature in features), None)
    wanted = {feature: True for feature in ("audio", "label", speaker) if feature}
    for part in (part for part in recordings.PARTS if part in builder.info.splits):
        examples = builder.as_dataset(
            split=part, shuffle_files=False, decoders=tfds.decode.PartialDecoding(wanted)
        )
        for number, example in enumerate(examples.as_numpy_iterator()):
            label = recordings.label_of(_text(features["label"], example["label"]))
            who = _text(features[speaker], example[speaker]) if speaker else ""
            yield part, label, who, _int16(example["audio"], f"{name}: {part}/{number:05d}")


def _text(feature: Any, value: Any) -> str:
    if hasattr(feature, "int2str") and feature.num_classes:
        return str(feature.int2str(int(value)))
    return value.decode() if isinstance(value, bytes) else str(value)


def _int16(samples: np.ndarray, place: str) -> np.ndarray:
    """Int16 [samples] of [samples] or [samples, channels], integers or floats in -1..1."""
    scale = 32767 if np.issubdtype(samples.dtype, np.floating) else 1
    mixed = samples.mean(axis=1) if samples.ndim == 2 else samples
    if not len(mixed):
        raise errors.UserError(f"{place} holds no sample; this set cannot be learned")
    scaled = np.rint(mixed.astype(np.float64) * scale)
    if not np.isfinite(scaled).all() or np.abs(scaled).max() > 32768:
        raise errors.UserError(f"{place} has samples that are no numbers or are beyond 16 bits")
    return np.clip(scaled, -32768, 32767).astype(np.int16)
