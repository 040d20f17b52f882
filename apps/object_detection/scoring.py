"""Finds the boxes of whole videos, and sets them beside the objects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.object_detection import data, heat_maps, measures, steadiness

_FRAMES_AT_ONCE = 256
Found = steadiness.Found


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


def of_validation(
    videos: Sequence[data.Video], found: Sequence[Found], classes: int
) -> dict[str, float]:
    """Returns AP50 and AP, and the threshold with the best F1 of the boxes that are told."""
    matches = measures.match(frames_of(videos, found), classes)
    threshold = measures.best_threshold(matches)
    return {**measures.scores(matches, _failed(videos)[:0]), "threshold": threshold}


def scores(
    videos: Sequence[data.Video], found: Sequence[Found], classes: int, threshold: float
) -> dict[str, float]:
    """Returns the measures of videos; boxes with a lower score than `threshold` close no gap."""
    matches = measures.match(frames_of(videos, found), classes)
    return {
        **measures.scores(matches, _failed(videos)),
        **steadiness.of(videos, found, threshold),
    }


def _failed(videos: Sequence[data.Video]) -> np.ndarray:
    return np.concatenate([video.failed[video.seen] for video in videos])


class Part(NamedTuple):
    """Some of the objects, by their size or their place in the video, and AP50 of them."""

    name: str
    objects: int
    ap50: float


def by_size(videos: Sequence[data.Video], found: Sequence[Found], classes: int) -> list[Part]:
    """Returns AP50 of the smallest third of the objects, the middle one and the largest.

    A third without an object, where many are of one size, is left out.

    An object's size is the root of its area, in pixels of the video as it was. As COCO has it,
    objects of other sizes count neither when found nor when missed, nor do boxes of other sizes
    that find nothing.
    """
    frames = frames_of(videos, found)
    scale = np.concatenate(
        [np.full(int(each.seen.sum()), math.sqrt(each.size[0] * each.size[1])) for each in videos]
    )
    sizes = [at * _side(each.boxes) for at, each in zip(scale, frames, strict=True)]
    told = np.concatenate([its[each.labels >= 0] for its, each in zip(sizes, frames, strict=True)])
    low, high = np.quantile(told, [1 / 3, 2 / 3])
    named = {
        f"up to {low:.3g} pixels": (0, low),
        f"{low:.3g} to {high:.3g} pixels": (low, high),
        f"above {high:.3g} pixels": (high, np.inf),
    }
    parts = []
    for name, (above, most) in named.items():
        within = [(above < its) & (its <= most) for its in sizes]
        asked = [each._replace(labels=np.where(own, each.labels, -2))
                 for own, each in zip(within, frames, strict=True)]  # fmt: skip
        matches = measures.match(asked, classes)
        if not matches.objects.any():  # all are of one size
            continue
        its = np.concatenate(
            [at * _side(each.found) for at, each in zip(scale, frames, strict=True)]
        )
        other = ((its <= above) | (its > most))[:, None] & ~matches.hits
        ap50 = measures.ap50(matches._replace(left_out=matches.left_out | other))
        parts.append(Part(name, int(matches.objects.sum()), ap50))
    return parts


def _side(boxes: np.ndarray) -> np.ndarray:
    return np.sqrt(measures.areas(boxes))


def by_place(videos: Sequence[data.Video], found: Sequence[Found], classes: int) -> list[Part]:
    """Returns AP50 of each quarter of the videos: a memory that drifts gets worse."""
    matches = measures.match(frames_of(videos, found), classes)
    quarters = np.concatenate(
        [np.flatnonzero(each.seen) * 4 // len(each.frames) for each in videos]
    )
    names = ("first quarter", "second quarter", "third quarter", "last quarter")
    return [
        Part(
            name, int(matches.objects[quarters == at].sum()), measures.ap50(matches, quarters == at)
        )
        for at, name in enumerate(names)
        if matches.objects[quarters == at].any()
    ]
