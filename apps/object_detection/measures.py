"""Average precision of boxes as COCO defines it, gaps of objects, and boxes that lie alike.

Boxes of a class are sorted by their scores, and each takes the free object of its frame that it
covers best, if by at least the threshold. With precision p(r) made falling from the right, AP is
the mean of p at the recalls 0, .01, …, 1. AP50 has the threshold .5; AP is the mean over the
thresholds .5, .55, …, .95. Both are means over the classes that the frames hold.

Source: Lin et al., "Microsoft COCO", 2014, and its evaluation code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

THRESHOLDS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0, 1, 101)


class Frame(NamedTuple):
    """A frame's objects, and the boxes that were found, the likeliest first.

    Attributes:
        boxes: float [objects, 4]: left, top, right, bottom.
        labels: int [objects]; -2 for one that neither counts if found nor if missed.
        found: float [n, 4].
        scores: float [n].
        classes: int [n].
    """

    boxes: np.ndarray
    labels: np.ndarray
    found: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


class Matches(NamedTuple):
    """Boxes that were found, and what each of them took.

    Attributes:
        frames: int [n], each box's frame.
        classes, scores: [n].
        hits: bool [n, thresholds], boxes that took an object.
        left_out: bool [n, thresholds], boxes over objects that do not count.
        objects: int [frames, classes].
    """

    frames: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    hits: np.ndarray
    left_out: np.ndarray
    objects: np.ndarray


def areas(boxes: np.ndarray) -> np.ndarray:
    """Returns the areas of boxes [..., 4]; none is below 0."""
    return np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0), axis=-1)


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns intersection over union, float [n, m], of boxes [n, 4] and [m, 4]."""
    corner = np.maximum(one[:, None, :2], other[None, :, :2])
    end = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = areas(np.concatenate([corner, end], axis=-1))
    return shared / np.maximum(areas(one)[:, None] + areas(other)[None] - shared, 1e-12)


def match(frames: Sequence[Frame], classes: int) -> Matches:
    """Gives objects to the boxes of each frame."""
    hits, left_out = [], []
    for frame in frames:
        lie = overlap(frame.found, frame.boxes)
        same = np.where(frame.classes[:, None] == frame.labels, lie, 0.0)
        hit = np.zeros((len(frame.scores), len(THRESHOLDS)), bool)
        free = np.ones((len(THRESHOLDS), len(frame.labels)), bool)
        order = np.argsort(-frame.scores, kind="stable")
        for at in order[same[order].max(axis=1, initial=0.0) >= THRESHOLDS[0]]:
            candidates = np.where(free, same[at], 0.0)
            best = candidates.argmax(axis=1)
            # As COCO's own code, which takes this for equal to the threshold
            taken = candidates.max(axis=1) >= np.minimum(THRESHOLDS, 1 - 1e-10)
            hit[at] = taken
            free[np.flatnonzero(taken), best[taken]] = False
        unsure = lie[:, frame.labels == -2].max(axis=1, initial=0.0)
        hits.append(hit)
        left_out.append(~hit & (unsure[:, None] >= THRESHOLDS))
    counts = [np.bincount(each.labels[each.labels >= 0], minlength=classes) for each in frames]
    return Matches(
        np.repeat(np.arange(len(frames)), [len(each.scores) for each in frames]),
        np.concatenate([each.classes for each in frames]),
        np.concatenate([each.scores for each in frames]),
        np.concatenate(hits),
        np.concatenate(left_out),
        np.stack(counts),
    )


def by_class(matches: Matches, among: np.ndarray | None = None) -> np.ndarray:
    """Returns AP, float [classes, thresholds]; NaN for a class without an object.

    Args:
        matches: of all frames.
        among: bool [frames], those that count; None = all.
    """
    among = np.ones(len(matches.objects), bool) if among is None else among
    objects = matches.objects[among].sum(axis=0)
    found = np.full((len(objects), len(THRESHOLDS)), np.nan)
    here = among[matches.frames]
    for kind in np.flatnonzero(objects):
        mine = np.flatnonzero(here & (matches.classes == kind))
        order = mine[np.argsort(-matches.scores[mine], kind="stable")]
        for at in range(len(THRESHOLDS)):
            counted = order[~matches.left_out[order, at]]
            right = np.cumsum(matches.hits[counted, at])
            recall = right / objects[kind]
            precision = right / np.arange(1, len(right) + 1)
            falling = np.maximum.accumulate(precision[::-1])[::-1]
            places = np.searchsorted(recall, _RECALLS, side="left")
            found[kind, at] = np.append(falling, 0.0)[np.minimum(places, len(falling))].mean()
    return found


def ap50(matches: Matches, among: np.ndarray | None = None) -> float:
    """Returns AP50, the mean over the classes that the frames hold."""
    return float(np.nanmean(by_class(matches, among)[:, 0]))


def scores(matches: Matches, failed: np.ndarray) -> dict[str, float]:
    """Returns AP50 and AP, and AP50 of the frames that failed and of the others, if some did."""
    whole = by_class(matches)
    found = {"ap50": float(np.nanmean(whole[:, 0])), "ap": float(np.nanmean(whole))}
    if failed.any() and matches.objects[failed].sum() and matches.objects[~failed].sum():
        found["ap50_of_failed_frames"] = ap50(matches, failed)
        found["ap50_of_other_frames"] = ap50(matches, ~failed)
    return found


def best_threshold(matches: Matches) -> float:
    """Returns the score from which the boxes that are told have the best F1, at an overlap of .5.

    From 0.05 to 0.95, in steps of 0.05; of equal ones the lowest.
    """
    counted = ~matches.left_out[:, 0]
    objects, best = matches.objects.sum(), (-1.0, 0.0)
    for least in np.linspace(0.05, 0.95, 19).round(2):
        told = counted & (matches.scores >= least)
        f1 = 2 * matches.hits[told, 0].sum() / max(1, told.sum() + objects)
        best = max(best, (f1, -float(least)))
    return -best[1]
