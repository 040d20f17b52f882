"""Finds the boxes of whole videos, and sets them beside the objects."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.object_detection import data, heat_maps, measures

_FRAMES_AT_ONCE = 256


class Found(NamedTuple):
    """The boxes of a video: shares of width and height, scores and classes, [t, n, …]."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


class Finder:
    """Finds boxes with a network that goes on learning between the calls.

    Args:
        network: what `model.build` returned.
        most: boxes of a frame.
    """

    def __init__(self, network: keras.Model, most: int) -> None:
        def find(frames: tf.Tensor) -> tuple[tf.Tensor, ...]:
            maps = network({"frames": frames}, training=False)
            leading, rest = tf.shape(maps)[:2], maps.shape[2:]
            found = heat_maps.decode(tf.reshape(maps, [-1, *rest]), most)
            return tuple(
                tf.reshape(each, tf.concat([leading, tf.shape(each)[1:]], axis=0)) for each in found
            )

        size = network.inputs[0].shape[2:]
        spec = tf.TensorSpec([None, None, *size], tf.uint8)
        self._find = tf.function(find, autograph=False, input_signature=[spec])

    def __call__(self, videos: Sequence[data.Video]) -> list[Found]:
        """Returns the boxes of each video; videos of one length are asked together."""
        found: list[Found | None] = [None] * len(videos)
        lengths = np.array([len(each.frames) for each in videos])
        for length in np.unique(lengths):
            mine = np.flatnonzero(lengths == length)
            rows = max(1, _FRAMES_AT_ONCE // int(length))
            for first in range(0, len(mine), rows):
                chosen = mine[first : first + rows]
                frames = np.stack([videos[at].frames for at in chosen])
                for at, *each in zip(chosen, *map(np.asarray, self._find(frames)), strict=True):
                    found[at] = Found(*each)
        return [each for each in found if each is not None]


def frames_of(videos: Sequence[data.Video], found: Sequence[Found]) -> list[measures.Frame]:
    """Sets boxes beside objects, for each frame in which somebody has looked for objects."""
    frames = []
    for video, its in zip(videos, found, strict=True):
        for t in np.flatnonzero(video.seen):
            there, told = video.labels[t] != -1, its.scores[t] > 0
            frames.append(
                measures.Frame(
                    video.boxes[t][there], video.labels[t][there],
                    its.boxes[t][told], its.scores[t][told], its.classes[t][told],
                )
            )  # fmt: skip
    return frames


def scores(
    videos: Sequence[data.Video], found: Sequence[Found], classes: int, threshold: float = 0.3
) -> dict[str, float]:
    """Returns the measures of videos; boxes with a lower score than `threshold` close no gap."""
    failed = np.concatenate([video.failed[video.seen] for video in videos])
    precision = measures.scores(measures.match(frames_of(videos, found), classes), failed)
    return {**precision, **steadiness(videos, found, threshold)}


def steadiness(
    videos: Sequence[data.Video], found: Sequence[Found], threshold: float
) -> dict[str, float]:
    """Returns how often objects are lost and found again, and how long they take to be found.

    An object is found in a frame where a box of its class with a score of at least `threshold`
    covers it by half. A gap lies between two frames in which it is found.

    Returns:
        `gaps_in_100_frames` of an object, and `frames_until_found`, the mean over the objects that
        are found at all; nothing for videos whose objects have no numbers.
    """
    frames, gaps, delays = 0, 0, []
    for video, its in zip(videos, found, strict=True):
        counted = (video.labels >= 0) & (video.tracks >= 0) & video.seen[:, None]
        for track in np.unique(video.tracks[counted]):
            hits = []
            for t, at in np.argwhere(counted & (video.tracks == track)):
                told = (its.scores[t] >= threshold) & (its.classes[t] == video.labels[t, at])
                lie = measures.overlap(video.boxes[t, at][None], its.boxes[t][told])
                hits.append(lie.max(initial=0.0) >= 0.5)
            at_which = np.flatnonzero(hits)
            frames += len(hits)
            gaps += int((np.diff(at_which) > 1).sum())
            delays += at_which[:1].tolist()
    if not delays:
        return {}
    return {
        "gaps_in_100_frames": 100 * gaps / frames,
        "frames_until_found": float(np.mean(delays)),
    }


def timed(find: Callable, videos: Sequence[data.Video]) -> tuple[list[Found], float]:
    """Returns the boxes, and how many frames a second were read."""
    start = time.perf_counter()
    found = find(videos)
    return found, sum(len(each.frames) for each in videos) / (time.perf_counter() - start)
