"""Sampled clips as they lie on disk: one file of frames that is mapped into memory, one index."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps import whole_files
from apps.video_classification.config import ClipConfig

_FRAMES, _INDEX = "frames.uint8", "index.npz"


class Store(NamedTuple):
    """The clips of all videos of a data set."""

    frames: np.ndarray  # uint8 [clips, time, height, width, 3], a memory map
    lengths: np.ndarray  # int32 [clips], real frames
    video: np.ndarray  # int32 [clips], ascending: which video a clip is of
    facts: dict[str, np.ndarray]  # further arrays, one row a video


class Sampled(NamedTuple):
    """The clips of one video; none of one that could not be decoded."""

    frames: np.ndarray  # uint8 [clips, time, height, width, 3], zero in the padding
    length: int  # real frames of each clip
    facts: dict[str, Any]  # the same for every video of a store


def write(folder: Path, videos: Iterable[Sampled]) -> None:
    """Writes videos one after the other; the index comes last, so that it means all is there."""
    lengths: list[int] = []
    numbers: list[int] = []
    facts: dict[str, list[Any]] = {}
    with whole_files.replacing(folder / _FRAMES) as partial, partial.open("wb") as output:
        for number, video in enumerate(videos):
            output.write(np.ascontiguousarray(video.frames).data)
            lengths += [video.length] * len(video.frames)
            numbers += [number] * len(video.frames)
            for name, value in video.facts.items():
                facts.setdefault(name, []).append(value)
    with whole_files.replacing(folder / _INDEX) as partial:
        content: dict[str, Any] = {f"fact_{name}": np.array(each) for name, each in facts.items()}
        content["lengths"] = np.array(lengths, np.int32)
        content["video"] = np.array(numbers, np.int32)
        np.savez(partial, **content)


def read(folder: Path, config: ClipConfig) -> Store | None:
    """What `write` wrote with these sizes; None where it is not all there."""
    try:
        with np.load(folder / _INDEX) as index:
            content = {name: index[name] for name in index.files}
        size = (folder / _FRAMES).stat().st_size
    except (OSError, ValueError, EOFError):
        return None
    shape = (len(content["lengths"]), config.frames, config.height, config.width, 3)
    if size != np.prod(shape):
        return None
    frames: np.ndarray = np.zeros(shape, np.uint8)  # nothing can be mapped of an empty file
    if size:
        frames = np.memmap(folder / _FRAMES, np.uint8, "r", shape=shape)
    facts = {
        name.removeprefix("fact_"): values
        for name, values in content.items()
        if name.startswith("fact_")
    }
    return Store(frames, content["lengths"], content["video"], facts)
