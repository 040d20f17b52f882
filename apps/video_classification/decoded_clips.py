"""Clips of all videos of a folder or a csv, decoded once and kept.

Several videos are decoded side by side, by threads: OpenCV lets go of Python's lock while it
decodes. Finished ones are kept part by part, so that a decoding that was killed goes on, and
afterwards as one file, in a folder whose name is made of all that decides the pixels.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from pathlib import Path

import numpy as np

from apps import errors, whole_files
from apps.opencv import cv2
from apps.video_classification import cache_folder, clip_store, clips, decoding, sampling
from apps.video_classification.config import Config

_VERSION = 2  # raise it whenever the same files give other pixels than before
_SHARD_VIDEOS = 500
_TOLD = 3  # unreadable files that an error names


def decoded(
    source: clips.Source, config: Config, clips_per_video: int, threads: int | None = None
) -> clip_store.Store:
    """Clips of the videos of `source`, from the cache where they are in it.

    Prints one line about it, and on a terminal how far the work is. However many threads there
    are, and however often it was interrupted, the result is the same. `facts` of the store holds
    `reason`, why a video could not be decoded, "" of others, and `seconds` of each.

    Raises:
        UserError: videos that cannot be decoded, named and counted, unless
            `own.skip_unreadable`; then, that none can. The disk is full.
    """
    began = time.monotonic()
    folder = cache_folder.folder("video_clips") / _key(source, config, clips_per_video)
    with cache_folder.locked(folder):
        store = clip_store.read(folder, config.clips)
        was_there = store is not None
        if store is None:
            store = _write(folder, source, config, clips_per_video, threads or cores())
    reasons = store.facts["reason"].tolist()
    bad = [f"{video.name} {why}" for video, why in zip(source.videos, reasons, strict=True) if why]
    good = len(reasons) - len(bad)
    line = f"clips of {good:,} videos, {clips_per_video} each, " + (
        "are kept" if was_there else f"in {time.monotonic() - began:.0f} s"
    )
    _show(line + (f", {len(bad):,} left out that cannot be decoded" if bad else ""))
    if bad and (not good or not config.own.skip_unreadable):
        named = "; ".join(bad[:_TOLD]) + ("; …" if len(bad) > _TOLD else "")
        advice = "none is left" if not good else "--own.skip_unreadable True leaves them out"
        raise errors.UserError(
            f"{source.source}: {len(bad):,} of {len(reasons):,} files cannot be decoded: "
            f"{named}; {advice}"
        )
    return store


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _write(
    folder: Path, source: clips.Source, config: Config, clips_per_video: int, threads: int
) -> clip_store.Store:
    """Decodes what no shard holds yet, then joins the shards."""

    def sampled(path: Path) -> clip_store.Sampled:
        try:
            video = decoding.read(path, config.clips, clips_per_video)
        except decoding.UnreadableError as error:
            none = np.zeros((0, 0), np.uint8)
            return clip_store.Sampled(none, 0, {"reason": str(error), "seconds": 0.0})
        return clip_store.Sampled(
            video.frames, video.length, {"reason": "", "seconds": video.seconds}
        )

    starts = range(0, len(source.paths), _SHARD_VIDEOS)
    shards = [folder / "shards" / f"{start:07d}" for start in starts]
    if len(shards) == 1:
        shards = [folder]
    began, done = time.monotonic(), 0
    cv2.setNumThreads(1)  # of each call; videos are what runs side by side
    try:
        for start, shard in zip(starts, shards, strict=True):
            paths = source.paths[start : start + _SHARD_VIDEOS]
            whole_files.make_folder(shard)
            if clip_store.read(shard, config.clips) is None:
                found = _side_by_side(sampled, paths, threads)
                clip_store.write(shard, _watched(found, start, len(source.paths), began, done))
                done += len(paths)
    finally:
        cv2.setNumThreads(-1)
    if shards != [folder]:
        clip_store.write(folder, _joined(shards, config))
        shutil.rmtree(folder / "shards")
    store = clip_store.read(folder, config.clips)
    assert store is not None
    return store


def _side_by_side(
    function: Callable[[Path], clip_store.Sampled], paths: Sequence[Path], threads: int
) -> Iterator[clip_store.Sampled]:
    """What `function` gives of each, in order; never more in memory than a few for each thread."""
    pool = futures.ThreadPoolExecutor(threads)
    waiting: deque[futures.Future[clip_store.Sampled]] = deque()
    try:
        for path in paths:
            waiting.append(pool.submit(function, path))
            if len(waiting) > 3 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _joined(shards: Sequence[Path], config: Config) -> Iterator[clip_store.Sampled]:
    """The videos of all shards in order."""
    for shard in shards:
        store = clip_store.read(shard, config.clips)
        assert store is not None
        count = len(store.facts["reason"])
        ends = np.searchsorted(store.video, np.arange(count + 1))
        for number in range(count):
            rows = slice(ends[number], ends[number + 1])
            length = int(store.lengths[ends[number]]) if ends[number] < ends[number + 1] else 0
            facts = {name: values[number].item() for name, values in store.facts.items()}
            yield clip_store.Sampled(store.frames[rows], length, facts)


def _watched(
    videos: Iterator[clip_store.Sampled], first: int, count: int, began: float, done: int
) -> Iterator[clip_store.Sampled]:
    """The same videos; on a terminal, a live line says how far they are."""
    for number, video in enumerate(videos, 1):
        yield video
        if sys.stdout.isatty() and (number % 10 == 0 or first + number == count):
            left = (time.monotonic() - began) / (done + number) * (count - first - number)
            share = (first + number) / count
            print(f"\r\x1b[2Kdecoding videos: {share:.0%}  {left:.0f} s left", end="", flush=True)


def _key(source: clips.Source, config: Config, clips_per_video: int) -> str:
    """SHA-256 of all that decides the frames."""
    decisive = {
        "version": _VERSION,
        "opencv": cv2.__version__,
        "files": source.digests,
        "clips": sampling.decisive(config.clips, clips_per_video),
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:32]


def _show(line: str) -> None:
    from apps import progress  # imports Keras

    progress.show(line)
