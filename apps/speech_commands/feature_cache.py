"""Features of all recordings of a part and of their altered copies, extracted once and kept.

The work is shared out over processes. It is kept shard by shard, so that an extraction that was
killed goes on, and afterwards as one file that is mapped into memory, in a folder whose name is
made of all that decides the numbers.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import importlib.metadata
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps import whole_files
from apps.speech_commands import cache_folder, feature_shards, reference_features
from apps.speech_commands.config import Config
from apps.speech_commands.recordings import Part

_VERSION = 1  # raise it whenever the same config gives other numbers than before
_SHARD_EXAMPLES = 200
_NOT_OF_COPIES = {  # the fields of SpecAugment, and the number that is told by itself
    "copies",
    "time_masks",
    "highest_time_mask_frames",
    "band_masks",
    "highest_band_mask",
}


class FeatureSet(NamedTuple):
    """Examples of a part: recording by recording, first as it is and then its copies."""

    frames: np.ndarray  # float32 [all frames, channels], mapped into memory
    starts: np.ndarray  # int64 [examples + 1]: example i has the frames starts[i] to starts[i + 1]
    labels: np.ndarray  # int32 [examples], indices of label_names
    recordings: np.ndarray  # int32 [examples], indices of part.recordings


def extracted(
    part: Part,
    label_names: Sequence[str],
    config: Config,
    *,
    fingerprint: str,
    title: str,
    copies: int = 0,
    noise: Sequence[np.ndarray] = (),
    processes: int | None = None,
) -> FeatureSet:
    """Features of a part, from the cache where they are in it.

    Prints one line when they are there, and on a terminal how far the work is. Whatever the number
    of processes, and however often it was interrupted, the result is the same.

    Args:
        part: the recordings; goes to other processes.
        label_names: what the labels are indices of.
        config: audio, features, seed, and for copies augmentation.
        fingerprint: of the data that the part is of. With config and the recordings' names it
            stands for what `part.waveform` gives: a part that alters its waveforms needs one of
            its own.
        title: names the part in what is printed.
        copies: altered ones of each recording, a function of config, seed, name and number.
        noise: recordings of noise to mix into copies, float32 [samples] each.
        processes: how many do the work; None decides by cores and by what there is to do.

    Raises:
        UserError: a recording cannot be read, the features do not fit the audio, or the disk is
            full.
    """
    noise = tuple(noise)
    began = time.monotonic()
    # Refuses a config that no sound fits, before anything is written.
    silence = reference_features.extract(np.zeros(1, np.float32), config.audio, config.features)
    key = _key(part, config, fingerprint, copies, noise)
    folder = cache_folder.folder("speech_features") / key
    whole_files.make_folder(folder)
    with _locked(folder):
        found = _kept(folder)
        was_there = found is not None
        if found is None:
            whole_files.remove_partial(folder)
            shards = max(1, _SHARD_EXAMPLES // (1 + copies))
            work = feature_shards.Work(part, config, copies, noise, folder / "shards", shards)
            whole_files.make_folder(work.folder)
            feature_shards.write(work, title, processes)
            _join(work, folder, silence.shape[1])
            shutil.rmtree(work.folder)
            found = _kept(folder)
            assert found is not None
    frames, starts = found
    _show(_line(title, len(starts) - 1, copies, None if was_there else time.monotonic() - began))
    numbers = {name: index for index, name in enumerate(label_names)}
    labels = np.array([numbers[recording.label] for recording in part.recordings], np.int32)
    recordings = np.arange(len(labels), dtype=np.int32)
    return FeatureSet(
        frames, starts, *(np.repeat(each, 1 + copies) for each in (labels, recordings))
    )


def _key(
    part: Part, config: Config, fingerprint: str, copies: int, noise: tuple[np.ndarray, ...]
) -> str:
    """SHA-256 of all that decides the features."""
    decisive = {
        "version": _VERSION,
        "librosa": importlib.metadata.version("librosa"),
        "fingerprint": fingerprint,
        "names": [recording.name for recording in part.recordings],
        "audio": dataclasses.asdict(config.audio),
        "features": dataclasses.asdict(config.features),
        "seed": config.seed,  # what is made of noise may depend on it, not copies alone
        "copies": copies,
    }
    if copies:
        augmentation = dataclasses.asdict(config.augmentation)
        decisive["augmentation"] = {
            name: value for name, value in augmentation.items() if name not in _NOT_OF_COPIES
        }
        decisive["noise"] = [hashlib.sha256(each.tobytes()).hexdigest() for each in noise]
        decisive["soxr"] = importlib.metadata.version("soxr")
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:32]


def _kept(folder: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Frames and starts of a finished extraction; the file of starts is the last to be written."""
    try:
        starts = np.load(folder / "starts.npy")
        frames = np.load(folder / "frames.npy", mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return (frames, starts) if len(frames) == starts[-1] else None


def _join(work: feature_shards.Work, folder: Path, channels: int) -> None:
    """Writes the shards one after the other into one file, then where each example starts."""
    lengths = []
    for shard in range(work.shards):
        with np.load(work.file(shard)) as content:
            lengths.append(content["lengths"])
    starts = np.concatenate([np.zeros(1, np.int64), *lengths]).cumsum()
    with whole_files.replacing(folder / "frames.npy") as partial, partial.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (int(starts[-1]), channels)}
        np.lib.format.write_array_header_1_0(file, header)
        for shard in range(work.shards):
            with np.load(work.file(shard)) as content:
                file.write(content["frames"].astype("<f4").tobytes())
    with whole_files.replacing(folder / "starts.npy") as partial:
        np.save(partial, starts)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Waits until no other process works at the same features."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _line(title: str, examples: int, copies: int, seconds: float | None) -> str:
    clips = f"features of {examples:,} clips"
    if copies:
        clips += f" ({examples // (1 + copies):,} and {copies} altered copies of each)"
    return f"{title}: {clips} " + ("are kept" if seconds is None else f"in {seconds:.0f} s")


def _show(line: str) -> None:
    from apps import progress  # imports Keras, which the processes do without

    progress.show(line)
