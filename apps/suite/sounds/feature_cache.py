"""Extracts the features of recordings and of their altered copies once, and keeps them.

Several processes share the work. Finished shards are kept, so that an extraction that was killed
goes on; the result is one file that is mapped into memory, in a folder whose name is a hash of all
values that decide the features. Nothing here imports TensorFlow, so that a process starts soon and
stays small.
"""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.process
import dataclasses
import hashlib
import importlib.metadata
import json
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from apps.suite import errors, process
from apps.suite.commands import progress
from apps.suite.runs import cache, files
from apps.suite.sounds import augmentation, features
from apps.suite.sounds.config import AugmentationConfig, FeatureConfig, RecordingConfig

_VERSION = 1  # raise it whenever the same config gives other numbers than before
_SHARD_EXAMPLES = 200
_NOT_OF_COPIES = {  # fields of what is drawn in every step, and the number, a field of its own
    "copies",
    "highest_drawn_warp",
    "highest_drawn_filter_db",
    "highest_drawn_gain_db",
    "highest_drawn_tempo_change",
    "time_masks",
    "highest_time_mask_frames",
    "band_masks",
    "highest_band_mask",
}
_FEW_EXAMPLES = 5_000  # done about as soon as other processes have started


class Recording(Protocol):
    """Names a recording."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...


class Part(Protocol):
    """Recordings in a fixed order. Pickles without samples, for other processes."""

    @property
    def recordings(self) -> Sequence[Recording]: ...

    def waveform(self, index: int) -> np.ndarray:
        """Returns float32 [samples], mono, at `audio.sample_rate_hz`, in -1..1."""
        ...


class Config(Protocol):
    """Groups of a task's config that decide the features."""

    @property
    def seed(self) -> int: ...
    @property
    def audio(self) -> RecordingConfig: ...
    @property
    def features(self) -> FeatureConfig: ...
    @property
    def augmentation(self) -> AugmentationConfig: ...


class FeatureSet(NamedTuple):
    """Examples of a part: each recording unaltered, followed by its copies."""

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
    """Returns the features of a part, from the cache if they are in it.

    Prints one line at the end, and the progress of long work. The result does not depend on the
    number of processes or on interruptions.

    Args:
        part: the recordings; goes to other processes.
        label_names: labels by index.
        config: audio, features, seed, and for copies augmentation.
        fingerprint: of the data that the part belongs to. With config and the recordings' names
            it identifies the waveforms: a part that alters them needs one of its own.
        title: name of the part in printed lines.
        copies: altered ones of each recording, a function of config, seed, name and number.
        noise: recordings of noise to mix into copies, float32 [samples] each.
        processes: their number; None decides by the cores and the amount of work.

    Raises:
        UserError: a recording cannot be read, the features do not fit the audio, or the disk is
            full.
    """
    noise = tuple(noise)
    began = time.monotonic()
    # Refuses a config that no sound fits, before anything is written.
    silence = features.extract(np.zeros(1, np.float32), config.audio, config.features)
    key = _key(part, config, fingerprint, copies, noise)
    folder = cache.folder("speech_features") / key
    with cache.locked(folder):
        found = _kept(folder)
        was_there = found is not None
        if found is None:
            shards = max(1, _SHARD_EXAMPLES // (1 + copies))
            work = ShardWork(part, config, copies, noise, folder / "shards", shards)
            files.make_folder(work.folder)
            write_shards(work, title, processes)
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


def statistics(examples: FeatureSet) -> tuple[np.ndarray, np.ndarray]:
    """Computes mean and variance of each channel over all frames, float64 (channels,).

    In blocks: the features may be larger than the memory.
    """
    frames, block = examples.frames, 100_000
    blocks = [frames[start : start + block] for start in range(0, len(frames), block)]
    mean = sum(part.sum(axis=0, dtype=np.float64) for part in blocks) / len(frames)
    squares = (np.square(part - mean, dtype=np.float64).sum(axis=0) for part in blocks)
    return mean, sum(squares) / len(frames)


def _key(
    part: Part, config: Config, fingerprint: str, copies: int, noise: tuple[np.ndarray, ...]
) -> str:
    """Returns the SHA-256 of all values that decide the features."""
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
    """Returns frames and starts of a finished extraction; the file of starts is written last."""
    try:
        starts = np.load(folder / "starts.npy")
        frames = np.load(folder / "frames.npy", mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return (frames, starts) if len(frames) == starts[-1] else None


def _join(work: ShardWork, folder: Path, channels: int) -> None:
    """Writes the shards one after the other into one file, then where each example starts."""
    lengths = []
    for shard in range(work.shards):
        with np.load(work.file(shard)) as content:
            lengths.append(content["lengths"])
    starts = np.concatenate([np.zeros(1, np.int64), *lengths]).cumsum()
    with files.replacing(folder / "frames.npy") as partial, partial.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (int(starts[-1]), channels)}
        np.lib.format.write_array_header_1_0(file, header)
        for shard in range(work.shards):
            with np.load(work.file(shard)) as content:
                file.write(content["frames"].astype("<f4").tobytes())
    with files.replacing(folder / "starts.npy") as partial:
        np.save(partial, starts)


def _line(title: str, examples: int, copies: int, seconds: float | None) -> str:
    clips = f"features of {examples:,} clips"
    if copies:
        clips += f" ({examples // (1 + copies):,} and {copies} altered copies of each)"
    return f"{title}: {clips} " + ("are kept" if seconds is None else f"in {seconds:.0f} s")


def _show(line: str) -> None:
    from apps.suite.training import history  # imports Keras, which the processes do without

    history.show_progress(line)


class ShardWork(NamedTuple):
    """All features to be extracted; goes to each process once."""

    part: Part
    config: Config
    copies: int
    noise: tuple[np.ndarray, ...]
    folder: Path  # of the shards
    shard_recordings: int

    @property
    def shards(self) -> int:
        return -(-len(self.part.recordings) // self.shard_recordings)

    def file(self, shard: int) -> Path:
        return self.folder / f"shard-{shard:05d}.npz"


def write_shards(work: ShardWork, title: str, processes: int | None) -> None:
    """Writes all missing shards, and shows the progress.

    Args:
        work: features to extract; goes to every process.
        title: first words of the progress line.
        processes: their number; None takes this one alone for little work, else one per core.

    Raises:
        UserError: a recording cannot be read, a process was ended, or the disk is full.
            Written shards stay.
    """
    missing = [shard for shard in range(work.shards) if not work.file(shard).exists()]
    examples = work.shard_recordings * (1 + work.copies)
    if processes is None:
        processes = 1 if len(missing) * examples <= _FEW_EXAMPLES else process.cores()
    processes = min(processes, len(missing))
    done = _in_processes if processes > 1 else _in_this_one
    shards = progress.watched(done(work, missing, processes), f"{title}: features", len(missing))
    for _ in shards:
        pass


def extract_shards(work: ShardWork, shard: int) -> None:
    """Writes one shard's file, whole or not at all.

    It holds `frames` float32 [all frames, channels] and `lengths` int64 [examples], in frames. An
    example is an unaltered recording, or one of the copies that follow it.
    """
    config, recordings = work.config, work.part.recordings
    examples = []
    first = shard * work.shard_recordings
    for index in range(first, min(first + work.shard_recordings, len(recordings))):
        waveform = work.part.waveform(index)
        examples.append(features.extract(waveform, config.audio, config.features))
        for copy in range(1, work.copies + 1):
            altered, band_warp = augmentation.alter(
                waveform,
                work.noise,
                config.audio,
                config.augmentation,
                _generator(config.seed, recordings[index].name, copy),
            )
            examples.append(features.extract(altered, config.audio, config.features, band_warp))
    lengths = np.array([len(example) for example in examples], np.int64)
    with files.replacing(work.file(shard)) as partial:
        np.savez(partial, frames=np.concatenate(examples), lengths=lengths)


def _in_this_one(work: ShardWork, shards: Sequence[int], _: int) -> Iterator[int]:
    for shard in shards:
        extract_shards(work, shard)
        yield shard


def _in_processes(work: ShardWork, shards: Sequence[int], processes: int) -> Iterator[int]:
    """Yields each finished shard; the processes end when the iterator ends or is left."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:  # imports once, for all processes
        context.set_forkserver_preload([__name__])
    pool = concurrent.futures.ProcessPoolExecutor(
        processes, context, initializer=_begin, initargs=(work,)
    )
    try:
        tasks = [pool.submit(_extract_next, shard) for shard in shards]
        for task in concurrent.futures.as_completed(tasks):
            yield task.result()
    except concurrent.futures.process.BrokenProcessPool as error:
        raise errors.UserError(
            "a process that extracts features was ended from outside, perhaps for want of memory; "
            "the same command goes on where it stopped"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_work: ShardWork | None = None


def _begin(work: ShardWork) -> None:
    """Makes this process a worker of another one, until that ends."""
    global _work  # set by the initializer of the process pool
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the interrupted parent ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _extract_next(shard: int) -> int:
    """Extracts a shard of the work that this process was given."""
    assert _work is not None
    extract_shards(_work, shard)
    return shard


def _generator(seed: int, name: str, copy: int) -> np.random.Generator:
    """Returns the generator of a copy; it depends on seed, name and number alone."""
    digest = hashlib.sha256(f"{seed}\n{copy}\n{name}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


def _end_with_parent() -> None:
    """Ends a worker when its parent was killed; it would wait for its next task for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
