"""Decodes the clips of all videos of a data set once, and keeps them.

Threads decode several videos at a time: OpenCV releases Python's lock while it decodes. Finished
shards are kept, so that a decoding that was killed goes on; the result is one file of frames that
is mapped into memory and one index, in a folder whose name is a hash of all values that decide the
pixels.
"""

import hashlib
import json
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from apps.suite import errors, process
from apps.suite.commands import progress
from apps.suite.data import labelled_files
from apps.suite.runs import cache, files
from apps.suite.videos import sampling, video_files
from apps.suite.videos.config import ClipConfig
from apps.suite.videos.opencv import cv2

_FRAMES, _INDEX = "frames.uint8", "index.npz"
_VERSION = 2  # raise it whenever the same files give other pixels than before
_SHARD_VIDEOS = 500
_TOLD = 3  # unreadable files that an error names


class Store(NamedTuple):
    """The clips of all videos of a data set."""

    frames: np.ndarray  # uint8 [clips, time, height, width, 3], a memory map
    lengths: np.ndarray  # int32 [clips], real frames
    video: np.ndarray  # int32 [clips], ascending: number of the clip's video
    facts: dict[str, np.ndarray]  # further arrays, one row a video


class Sampled(NamedTuple):
    """The clips of one video; no clip if it could not be decoded."""

    frames: np.ndarray  # uint8 [clips, time, height, width, 3], zero in the padding
    length: int  # real frames of each clip
    facts: dict[str, Any]  # the same for every video of a store


class Videos(Protocol):
    """Names, paths and checksums of the videos of a data set."""

    @property
    def source(self) -> str: ...
    @property
    def videos(self) -> Sequence[labelled_files.Example]: ...
    @property
    def paths(self) -> Sequence[Path]: ...
    @property
    def digests(self) -> Sequence[str]: ...


def decoded(
    source: Videos,
    config: ClipConfig,
    clips_per_video: int,
    *,
    skip_unreadable: bool = False,
    threads: int | None = None,
) -> Store:
    """Returns clips of the videos of `source`, from the cache if they are in it.

    Prints one line about it, and the progress of long work. The result does not
    depend on the number of threads or on interruptions. `facts` of the store holds `reason`, why
    a video could not be decoded ("" for others), and `seconds` of each.

    Raises:
        UserError: videos that cannot be decoded, named and counted, unless `skip_unreadable`;
            then only if none can be. The disk is full.
    """
    began = time.monotonic()
    folder = cache.folder("video_clips") / _key(source, config, clips_per_video)
    with cache.locked(folder):
        store = read(folder, config)
        was_there = store is not None
        if store is None:
            store = _write(folder, source, config, clips_per_video, threads or process.cores())
    reasons = store.facts["reason"].tolist()
    bad = [f"{video.name} {why}" for video, why in zip(source.videos, reasons, strict=True) if why]
    good = len(reasons) - len(bad)
    line = f"clips of {good:,} videos, {clips_per_video} each, " + (
        "are kept" if was_there else f"in {time.monotonic() - began:.0f} s"
    )
    _show(line + (f", {len(bad):,} left out that cannot be decoded" if bad else ""))
    if bad and (not good or not skip_unreadable):
        named = "; ".join(bad[:_TOLD]) + ("; …" if len(bad) > _TOLD else "")
        advice = "none is left" if not good else "--own.skip_unreadable True leaves them out"
        raise errors.UserError(
            f"{source.source}: {len(bad):,} of {len(reasons):,} files cannot be decoded: "
            f"{named}; {advice}"
        )
    return store


def _write(
    folder: Path, source: Videos, config: ClipConfig, clips_per_video: int, threads: int
) -> Store:
    """Decodes the videos that no shard holds yet, then joins the shards."""

    def sampled(path: Path) -> Sampled:
        try:
            video = video_files.read(path, config, clips_per_video)
        except video_files.UnreadableError as error:
            none = np.zeros((0, 0), np.uint8)
            return Sampled(none, 0, {"reason": str(error), "seconds": 0.0})
        return Sampled(video.frames, video.length, {"reason": "", "seconds": video.seconds})

    starts = range(0, len(source.paths), _SHARD_VIDEOS)
    shards = [folder / "shards" / f"{start:07d}" for start in starts]
    if len(shards) == 1:
        shards = [folder]
    cv2.setNumThreads(1)  # per call; several videos run at a time
    try:
        for start, shard in zip(starts, shards, strict=True):
            paths = source.paths[start : start + _SHARD_VIDEOS]
            files.make_folder(shard)
            if read(shard, config) is None:
                found = _side_by_side(sampled, paths, threads)
                title = f"decoding videos {start + 1:,} to {start + len(paths):,}"
                title += f" of {len(source.paths):,}" if len(shards) > 1 else ""
                write(shard, progress.watched(found, title, len(paths)))
    finally:
        cv2.setNumThreads(-1)
    if shards != [folder]:
        write(folder, _joined(shards, config))
        shutil.rmtree(folder / "shards")
    store = read(folder, config)
    assert store is not None
    return store


def _side_by_side(
    function: Callable[[Path], Sampled], paths: Sequence[Path], threads: int
) -> Iterator[Sampled]:
    """Yields `function` of each path in order; a few results per thread are in memory."""
    pool = futures.ThreadPoolExecutor(threads)
    waiting: deque[futures.Future[Sampled]] = deque()
    try:
        for path in paths:
            waiting.append(pool.submit(function, path))
            if len(waiting) > 3 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _joined(shards: Sequence[Path], config: ClipConfig) -> Iterator[Sampled]:
    """Yields the videos of all shards in order."""
    for shard in shards:
        store = read(shard, config)
        assert store is not None
        count = len(store.facts["reason"])
        ends = np.searchsorted(store.video, np.arange(count + 1))
        for number in range(count):
            rows = slice(ends[number], ends[number + 1])
            length = int(store.lengths[ends[number]]) if ends[number] < ends[number + 1] else 0
            facts = {name: values[number].item() for name, values in store.facts.items()}
            yield Sampled(store.frames[rows], length, facts)


def _key(source: Videos, config: ClipConfig, clips_per_video: int) -> str:
    """Returns the SHA-256 of all values that decide the frames."""
    decisive = {
        "version": _VERSION,
        "opencv": cv2.__version__,
        "files": source.digests,
        "clips": sampling.decisive(config, clips_per_video),
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:32]


def _show(line: str) -> None:
    from apps.suite.training import history  # imports Keras

    history.show_progress(line)


def write(folder: Path, videos: Iterable[Sampled]) -> None:
    """Writes videos one after another; the index is written last and marks the store as whole."""
    lengths: list[int] = []
    numbers: list[int] = []
    facts: dict[str, list[Any]] = {}
    with files.replacing(folder / _FRAMES) as partial, partial.open("wb") as output:
        for number, video in enumerate(videos):
            output.write(np.ascontiguousarray(video.frames).data)
            lengths += [video.length] * len(video.frames)
            numbers += [number] * len(video.frames)
            for name, value in video.facts.items():
                facts.setdefault(name, []).append(value)
    with files.replacing(folder / _INDEX) as partial:
        content: dict[str, Any] = {f"fact_{name}": np.array(each) for name, each in facts.items()}
        content["lengths"] = np.array(lengths, np.int32)
        content["video"] = np.array(numbers, np.int32)
        np.savez(partial, **content)


def read(folder: Path, config: ClipConfig) -> Store | None:
    """Reads the result of `write` with these sizes; None if it is not complete."""
    try:
        with np.load(folder / _INDEX) as index:
            content = {name: index[name] for name in index.files}
        size = (folder / _FRAMES).stat().st_size
    except (OSError, ValueError, EOFError):
        return None
    shape = (len(content["lengths"]), config.frames, config.height, config.width, 3)
    if size != np.prod(shape):
        return None
    frames: np.ndarray = np.zeros(shape, np.uint8)  # an empty file cannot be mapped
    if size:
        frames = np.memmap(folder / _FRAMES, np.uint8, "r", shape=shape)
    facts = {
        name.removeprefix("fact_"): values
        for name, values in content.items()
        if name.startswith("fact_")
    }
    return Store(frames, content["lengths"], content["video"], facts)
