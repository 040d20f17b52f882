"""Loads annotated videos in three parts, brings frames to size, and makes batches of clips."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from apps.object_detection import annotation_files, clips, heat_maps, measures, own_videos
from apps.object_detection import config as configs
from apps.suite import errors
from apps.suite.data import corpora, division, labelled_files, named_sets
from apps.suite.data.config import OwnConfig
from apps.suite.videos import augmentation, fitting, preprocessing, video_files
from apps.suite.videos.config import ClipConfig
from apps.suite.videos.opencv import cv2

DEFAULT = "drifting_digits"
_LEAST_SEEN = 0.3  # share of a box that a change must leave within the frame
_MOST_BYTES = 4 << 30  # of all frames at the network's size


class Video(NamedTuple):
    """A video at the network's size, with its boxes.

    Attributes:
        name: of the video.
        frames: uint8 [t, height, width, 3].
        boxes: float32 [t, boxes, 4]: left, top, right, bottom, as shares of width and height.
        labels: int32 [t, boxes]: a class; -1 no box; -2 one that is neither to be found nor a fault
            if it is.
        tracks: int32 [t, boxes], the same number for the same object; -1 not known.
        seen: bool [t], whether somebody has looked for objects.
        failed: bool [t], whether the frame is known to have failed.
        size: height and width of the frames as they were.
    """

    name: str
    frames: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    tracks: np.ndarray
    seen: np.ndarray
    failed: np.ndarray
    size: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Corpus(corpora.Corpus[list[Video]]):
    """Videos in three parts; `notes` tells what was mended."""

    label_names: tuple[str, ...]


def load(config: configs.Config) -> Corpus:
    """Reads the videos and boxes of `config.data`, and divides them by video.

    Raises:
        UserError: nothing of that name, or data that cannot be learned; it names file and line.
    """
    name = config.data or DEFAULT
    path = named_sets.own_path(name)
    return _own(path, config) if path else _of_set(name, config)


def preprocess(frames: tf.Tensor, config: configs.Config) -> tf.Tensor:
    """Returns frames uint8 [n, any, any, 3] at the network's size, stretched to its shape."""
    return preprocessing.fitted(frames, sizes(config))


def sizes(config: configs.Config) -> ClipConfig:
    """Returns the network's size as the suite's video functions take it."""
    frames = config.frames
    return ClipConfig(frames=frames.clip_frames, height=frames.height, width=frames.width)


def batches(
    videos: Sequence[Video], classes: int, config: configs.Config, first_step: int = 0
) -> tf.data.Dataset:
    """Returns an endless stream of ({"frames": uint8 [b, t, h, w, 3]}, targets of `model.loss`).

    A video is as frequent as its clips are many. Each batch is a function of seed and step. A
    video shorter than a clip stands still at its end, where nothing is learned.

    With `training.carry_states` a row reads the clips of a video in turn, and then another one;
    "begins" bool [b] tells the rows in which a video begins.
    """
    frames, rows = config.frames, config.training.batch_size
    length = frames.clip_frames
    drawn = clips.Clips([len(each.frames) for each in videos], config)
    most = max(each.labels.shape[1] for each in videos)
    stride = config.model.stride
    places = (frames.height // stride, frames.width // stride)
    carried = config.training.carry_states

    def read(step: np.ndarray) -> tuple[np.ndarray, ...]:
        random = np.random.default_rng((config.seed, clips.SEED, int(step), 1))
        chosen = [
            drawn.in_turn(int(step), row) if carried else drawn.anywhere(int(step), row, random)
            for row in range(rows)
        ]
        found = [(*_cut(videos[each.video], each, length, most), each.begins) for each in chosen]
        return tuple(np.stack(each) for each in zip(*found, strict=True))

    def batch(step: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        kinds = [tf.uint8, tf.float32, tf.int32, tf.bool, tf.bool]
        pixels, boxes, labels, seen, begins = tf.numpy_function(read, [step], kinds)
        pixels = tf.ensure_shape(pixels, [rows, length, frames.height, frames.width, 3])
        wanted = heat_maps.targets(
            tf.reshape(boxes, [rows * length, most, 4]),
            tf.reshape(labels, [rows * length, most]),
            tf.reshape(seen, [rows * length]),
            places,
            classes,
            spread=config.training.spread_boxes,
        )
        inputs = {"frames": pixels}
        if carried:
            inputs["begins"] = tf.ensure_shape(begins, [rows])
        return inputs, tf.reshape(wanted, [rows, length, *places, classes + 6])

    return tf.data.Dataset.counter(first_step).map(batch, num_parallel_calls=2).prefetch(2)


def _cut(video: Video, clip: clips.Clip, length: int, most: int) -> tuple[np.ndarray, ...]:
    """Returns frames, boxes, labels and seen of one clip."""
    at = np.minimum(np.arange(clip.start, clip.start + length), len(video.frames) - 1)
    frames, boxes, labels = video.frames[at], video.boxes[at], video.labels[at]
    seen = video.seen[at] & (np.arange(clip.start, clip.start + length) < len(video.frames))
    lacking = most - labels.shape[1]
    boxes = np.pad(boxes, [(0, 0), (0, lacking), (0, 0)])
    labels = np.pad(labels, [(0, 0), (0, lacking)], constant_values=-1)
    if clip.changes is not None:
        # Mirrored at an edge, an object would be there twice and have one box
        whole, edge = np.ascontiguousarray(frames)[None], cv2.BORDER_REPLICATE
        (frames,) = augmentation.apply_changes(whole, clip.changes, border=edge)
        moved = augmentation.apply_to_boxes(boxes, clip.changes, *frames.shape[1:3])
        boxes = np.clip(moved, 0, 1)
        share = measures.areas(boxes) / np.maximum(measures.areas(moved), 1e-9)
        gone = (labels >= 0) & (share < _LEAST_SEEN)
        labels = np.where(gone, np.where(share > 0, -2, -1), labels)
    return np.ascontiguousarray(frames), boxes.astype(np.float32), labels.astype(np.int32), seen


def _of_set(name: str, config: configs.Config) -> Corpus:
    """Reads a TFDS set with `video` and `objects` (frame, track, label, box)."""
    builder = named_sets.prepare_with(name, "video", "objects")
    features, info = builder.info.features, builder.info
    parts: dict[str, list[Video]] = {}
    for part in labelled_files.PARTS:
        if part not in info.splits:
            raise errors.UserError(f"{name}: has no split {part}, only {', '.join(info.splits)}")
        examples = builder.as_dataset(split=part, shuffle_files=False).as_numpy_iterator()
        parts[part] = [
            _of_example(f"{part}/{number:05d}", example, config)
            for number, example in enumerate(examples)
        ]
    label = features["objects"]["label"]
    facts = [
        info.full_name,
        *(f"{n} {s.num_examples} {s.num_bytes}" for n, s in info.splits.items()),
    ]
    return Corpus(
        name=name,
        licence=info.redistribution_info.license or "see source",
        source=info.homepage or info.full_name,
        fingerprint=_digest(facts, config),
        split=f"the splits of {info.full_name}",
        label_names=tuple(label.names),
        train=parts["train"],
        validation=parts["validation"],
        test=parts["test"],
    )


def _of_example(name: str, example: dict[str, Any], config: configs.Config) -> Video:
    pixels, objects = example["video"], example["objects"]
    height, width = pixels.shape[1:3]
    rows = [
        annotation_files.Row(
            int(frame), int(track), str(label), *_corner_and_sides(box), bool(hidden)
        )
        for frame, track, label, box, hidden in zip(
            objects["frame"], objects["track"], objects["label"], objects["box"],
            objects["hidden"], strict=True,
        )
    ]  # fmt: skip
    names = {row.label: int(row.label) for row in rows}
    boxes, labels, tracks = _arrays(rows, len(pixels), (height, width), names)
    sized = config.frames
    if (height, width) != (sized.height, sized.width):
        full = np.broadcast_to(pixels, (*pixels.shape[:3], 3))
        pixels = np.stack([fitting.fit(np.ascontiguousarray(each), sizes(config)) for each in full])
    # A view: grey frames take no more memory than they are
    frames = np.broadcast_to(pixels, (*pixels.shape[:3], 3))
    failed = np.asarray(example.get("failed", np.zeros(len(pixels)))) > 0
    seen = np.ones(len(pixels), bool)
    return Video(name, frames, boxes, labels, tracks, seen, failed, (height, width))


def _corner_and_sides(box: np.ndarray) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(each) for each in box)
    return left, top, right - left, bottom - top


def _own(path: Path, config: configs.Config) -> Corpus:
    """Reads the user's own videos, and divides them by video."""
    found = own_videos.find(path)
    names = sorted({row.label for each in found for row in each.rows})
    if not names:
        raise errors.UserError(f"{path}: not one box; there is nothing to learn")
    sized = config.frames
    notes: list[str] = []
    clipped = [0]
    videos, taken = [], 0
    for each in found:
        frames, size = _frames(each, config)
        taken += frames.nbytes
        if taken > _MOST_BYTES:
            raise errors.UserError(
                f"{path}: its frames take more than {_MOST_BYTES >> 30} GB at {sized.height} x "
                f"{sized.width}; give fewer videos, or smaller frames.height and frames.width"
            )
        rows = [_within(row, size, len(frames), each, clipped) for row in each.rows]
        boxes, labels, tracks = _arrays(
            rows, len(frames), size, {name: at for at, name in enumerate(names)}
        )
        seen = np.array([each.seen is None or at in each.seen for at in range(len(frames))])
        failed = np.zeros(len(frames), bool)
        videos.append(Video(each.name, frames, boxes, labels, tracks, seen, failed, size))
        if not each.rows:
            notes.append(f"{each.name}: has no box; every find in it is a false alarm")
    if clipped[0]:
        notes.append(f"{clipped[0]:,} boxes reached beyond their frames and were cut")
    examples = [
        labelled_files.Example(each.name, _most_frequent(each), "", each.part) for each in found
    ]
    told = "the folders' names" if any(each.part for each in found) else ""
    shares = {"test": sized.test_fraction, "validation": sized.validation_fraction}
    parts, split = division.by_group(
        examples, told, OwnConfig(), shares, config.seed, unit="videos"
    )
    held = {
        part: [video for video, its in zip(videos, parts, strict=True) if its == part]
        for part in labelled_files.PARTS
    }
    for part, its in held.items():
        if not its:
            raise errors.UserError(f"{path}: no video is in the part {part}; give more videos")
        if not any((video.labels >= 0).any() for video in its):
            raise errors.UserError(
                f"{path}: no video of the part {part} has a box that counts; give more videos, or "
                f"name the parts by folders {', '.join(labelled_files.PARTS)}"
            )
    facts = [labelled_files.digest(file) for each in found for file in each.digests]
    facts += [str(file.stat().st_size) for each in found
              for file in (each.source if isinstance(each.source, list) else [])]  # fmt: skip
    return Corpus(
        name=path.name, licence="your own data", source=str(path),
        fingerprint=_digest(facts, config), split=split, label_names=tuple(names),
        **held, notes=tuple(notes),
    )  # fmt: skip


def _most_frequent(each: annotation_files.Annotated) -> str:
    """Returns the label of most of a video's boxes, by which the parts are made alike."""
    labels = [row.label for row in each.rows] or [""]
    return max(sorted(set(labels)), key=labels.count)


def _frames(each: annotation_files.Annotated, config: configs.Config) -> tuple[np.ndarray, tuple]:
    """Returns the frames of a video at the network's size, and the size that they had."""
    found, size = [], None
    for place, frame in read_frames(each.source):
        here = frame.shape[:2]
        if size is not None and here != size:
            raise errors.UserError(
                f"{place}: is {here[1]} x {here[0]}, others {size[1]} x {size[0]}"
            )
        size = here
        found.append(fitting.fit(frame, sizes(config)))
    if size is None:
        raise errors.UserError(f"{each.name}: has no frame")
    if each.size is not None and each.size != size:
        raise errors.UserError(
            f"{each.name}: frames are {size[1]} x {size[0]}, the annotations are for "
            f"{each.size[1]} x {each.size[0]}; give the frames that were annotated"
        )
    return np.stack(found), size


def read_frames(source: Path | list[Path]) -> Iterable[tuple[str, np.ndarray]]:
    """Yields (place, frame uint8 [height, width, 3]) of a video file or of pictures."""
    if isinstance(source, Path):
        try:
            for seconds, frame in video_files.frames(source):
                yield f"{source} at {seconds:.2f} s", frame
        except video_files.UnreadableError as error:
            raise errors.UserError(f"{source}: {error}") from error
        return
    from PIL import ImageOps

    for file in source:
        with annotation_files.picture(file) as opened:
            frame = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
        yield str(file), frame


def _within(
    row: annotation_files.Row,
    size: tuple[int, int],
    count: int,
    each: annotation_files.Annotated,
    clipped: list[int],
) -> annotation_files.Row:
    """Returns a row whose box lies within its frame, and counts those that were cut."""
    height, width = size
    if row.frame >= count:
        raise errors.UserError(
            f"{row.where}: frame {row.frame}, {each.name} has {count} frames, from 0 on"
        )
    left, top = max(0.0, row.x), max(0.0, row.y)
    right, bottom = min(float(width), row.x + row.width), min(float(height), row.y + row.height)
    if right - left <= 0 or bottom - top <= 0:
        raise errors.UserError(
            f"{row.where}: the box lies outside of its frame of {width} x {height} pixels"
        )
    clipped[0] += row.x < -1 or row.y < -1 or row.x + row.width > width + 1 or (
        row.y + row.height > height + 1
    )  # fmt: skip
    return row._replace(x=left, y=top, width=right - left, height=bottom - top)


def _arrays(
    rows: Sequence[annotation_files.Row], count: int, size: tuple[int, int], numbers: dict[str, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns boxes, labels and tracks of each frame, filled up with -1."""
    by_frame: list[list[annotation_files.Row]] = [[] for _ in range(count)]
    for row in rows:
        by_frame[row.frame].append(row)
    most = max(1, *map(len, by_frame)) if by_frame else 1
    boxes = np.zeros((count, most, 4), np.float32)
    labels, tracks = np.full((count, most), -1, np.int32), np.full((count, most), -1, np.int32)
    height, width = size
    for frame, its in enumerate(by_frame):
        for at, row in enumerate(its):
            right, bottom = row.x + row.width, row.y + row.height
            boxes[frame, at] = row.x / width, row.y / height, right / width, bottom / height
            labels[frame, at] = -2 if row.hidden else numbers[row.label]
            tracks[frame, at] = row.track
    return boxes, labels, tracks


def _digest(facts: Iterable[str], config: configs.Config) -> str:
    frames = config.frames
    decisive = [*facts, str((frames.height, frames.width))]
    return hashlib.sha256("\n".join(decisive).encode()).hexdigest()
