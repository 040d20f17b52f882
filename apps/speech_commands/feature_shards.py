"""The features of a few recordings and of their altered copies at a time, over processes.

Nothing here imports TensorFlow, so that a process starts soon and stays small.
"""

import concurrent.futures
import concurrent.futures.process
import hashlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps import errors, whole_files
from apps.speech_commands import augmentation, reference_features
from apps.speech_commands.config import Config
from apps.speech_commands.recordings import Part

_FEW_EXAMPLES = 5_000  # done about as soon as other processes have started


class Work(NamedTuple):
    """All that is to be extracted; it goes to each process once."""

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


def write(work: Work, title: str, processes: int | None) -> None:
    """Has all shards written that are not there yet; on a terminal, shows how far it is.

    Args:
        work: what to extract; goes to every process.
        title: begins the live line.
        processes: how many; None: this one alone where there is little to do, else one a core.

    Raises:
        UserError: a recording cannot be read, a process was ended, or the disk is full. What is
            written stays.
    """
    missing = [shard for shard in range(work.shards) if not work.file(shard).exists()]
    examples = work.shard_recordings * (1 + work.copies)
    if processes is None:
        processes = 1 if len(missing) * examples <= _FEW_EXAMPLES else _cores()
    processes = min(processes, len(missing))
    began = time.monotonic()
    done = _in_processes if processes > 1 else _in_this_one
    for count, _ in enumerate(done(work, missing, processes), 1):
        if sys.stdout.isatty():
            left = (time.monotonic() - began) / count * (len(missing) - count)
            share = (work.shards - len(missing) + count) / work.shards
            print(f"\r\x1b[2K{title}: {share:.0%}  {left:.0f} s left", end="", flush=True)


def extract(work: Work, shard: int) -> None:
    """Writes one shard's file, whole or not at all.

    It holds `frames` float32 [all frames, channels] and `lengths` int64 [examples], in frames. An
    example is a recording as it is, or one of the copies that follow it.
    """
    config, recordings = work.config, work.part.recordings
    examples = []
    first = shard * work.shard_recordings
    for index in range(first, min(first + work.shard_recordings, len(recordings))):
        waveform = work.part.waveform(index)
        examples.append(reference_features.extract(waveform, config.audio, config.features))
        for copy in range(1, work.copies + 1):
            altered, band_warp = augmentation.alter(
                waveform,
                work.noise,
                config.audio,
                config.augmentation,
                _generator(config.seed, recordings[index].name, copy),
            )
            examples.append(
                reference_features.extract(altered, config.audio, config.features, band_warp)
            )
    lengths = np.array([len(example) for example in examples], np.int64)
    with whole_files.replacing(work.file(shard)) as partial:
        np.savez(partial, frames=np.concatenate(examples), lengths=lengths)


def _in_this_one(work: Work, shards: Sequence[int], _: int) -> Iterator[int]:
    for shard in shards:
        extract(work, shard)
        yield shard


def _in_processes(work: Work, shards: Sequence[int], processes: int) -> Iterator[int]:
    """Yields a shard as soon as it is done; the processes end when the iterator ends or is left."""
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


_work: Work | None = None


def _begin(work: Work) -> None:
    """Makes this process one that works for another, until that other one ends."""
    global _work  # what an initializer of a process pool hands over
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who is interrupted ends its workers itself
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _extract_next(shard: int) -> int:
    """`extract` of the work that this process began with."""
    assert _work is not None
    extract(_work, shard)
    return shard


def _generator(seed: int, name: str, copy: int) -> np.random.Generator:
    """Of a copy: the same in any process, in any order, whatever else is in the part."""
    digest = hashlib.sha256(f"{seed}\n{copy}\n{name}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


def _end_with_parent() -> None:
    """A worker waits for its next task for ever, even if whoever gives it was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
