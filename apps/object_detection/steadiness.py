"""Gaps, delays and jitter of the boxes of single objects, with and without a tracker.

An object is found in a frame where a box of its class with a score of at least the threshold
covers it by half. A gap lies between two frames in which it is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from apps.object_detection import data, measures, tracks


class Found(NamedTuple):
    """The boxes of a video: shares of width and height, scores and classes, [t, n, …]."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


def of(videos: Sequence[data.Video], found: Sequence[Found], threshold: float) -> dict[str, float]:
    """Returns the measures of objects with numbers.

    Returns:
        `found_share`, of an object's frames; `gaps_in_100_frames` of an object; `longest_gap` in
        frames, `frames_until_found` and `jitter_in_pixels` (how far the error of a box's middle
        moves from a frame to the next), means over the objects that are found at all; nothing for
        videos whose objects have no numbers.
    """
    frames, hits, gaps = 0, 0, 0
    delays, longest, moves = list[int](), list[int](), list[float]()
    for video, its in zip(videos, found, strict=True):
        counted = (video.labels >= 0) & (video.tracks >= 0) & video.seen[:, None]
        side = np.array([video.size[1], video.size[0]])
        for track in np.unique(video.tracks[counted]):
            places = np.argwhere(counted & (video.tracks == track))
            errors = np.array([_error(video, its, t, at, threshold) for t, at in places]) * side
            at_which = np.flatnonzero(np.isfinite(errors[:, 0]))
            frames, hits = frames + len(places), hits + len(at_which)
            if len(at_which):
                between = np.diff(at_which)
                gaps += int((between > 1).sum())
                longest.append(int(between.max(initial=1)) - 1)
                delays.append(int(at_which[0]))
                moved = np.linalg.norm(np.diff(errors[at_which], axis=0), axis=1)
                moves += moved[between == 1].tolist()
    if not delays:
        return {}
    return {
        "found_share": hits / frames,
        "gaps_in_100_frames": 100 * gaps / frames,
        "longest_gap": float(np.mean(longest)),
        "frames_until_found": float(np.mean(delays)),
        "jitter_in_pixels": float(np.mean(moves)) if moves else 0.0,
    }


def _error(video: data.Video, found: Found, t: int, at: int, threshold: float) -> np.ndarray:
    """Returns how far the best box of an object lies from it, as shares; NaN if there is none."""
    told = (found.scores[t] >= threshold) & (found.classes[t] == video.labels[t, at])
    boxes, own = found.boxes[t][told], video.boxes[t, at]
    lie = measures.overlap(own[None], boxes)[0]
    if lie.max(initial=0.0) < 0.5:
        return np.full(2, np.nan)
    box = boxes[lie.argmax()]
    return (box[:2] + box[2:] - own[:2] - own[2:]) / 2


def tracked(found: Found, threshold: float) -> Found:
    """Returns the boxes, and where a tracker of those that are told takes lost objects to be.

    A lost object keeps its class, and its box goes on along a straight line. Its score falls by a
    fifth from frame to frame, down to the threshold.
    """
    tracker = tracks.Tracker()
    last = dict[int, tuple[float, int]]()
    rows = []
    for boxes, scores, classes in zip(*found, strict=True):
        told = np.flatnonzero(scores >= threshold)
        numbers = tracker.follow(boxes[told])
        lost = tracker.lost()
        last = {number: (max(threshold, last[number][0] * 0.8), last[number][1]) for number in lost}
        last |= {number: (float(scores[at]), int(classes[at]))
                 for number, at in zip(numbers, told, strict=True)}  # fmt: skip
        rows.append([
            *zip(boxes, scores, classes, strict=True),
            *((np.clip(box, 0, 1), *last[number]) for number, box in lost.items()),
        ])  # fmt: skip
    most = max(1, *map(len, rows))
    nothing = (np.zeros(4, np.float32), 0.0, 0)
    filled = [[*row, *[nothing] * (most - len(row))] for row in rows]
    return Found(*(np.array([[each[at] for each in row] for row in filled]) for at in range(3)))
