"""Measures labels by step as segments: F1 by overlap, and the edit score.

Accuracy by step hides an answer that flickers. Here a segment is a stretch of steps with one label.

Source: Lea et al., "Temporal convolutional networks for action segmentation and detection", 2017.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.suite.evaluation import tag_measures

OVERLAPS = (10, 25, 50)
"""Least shares of overlap in percent, at which a segment is found."""


class Segment(NamedTuple):
    """Steps from `start` to `end` (exclusive) with one label."""

    label: int
    start: int
    end: int


def of_labels(labels: np.ndarray) -> list[Segment]:
    """Returns the segments of labels int [steps]; steps with a label below 0 belong to none."""
    if not len(labels):
        return []
    changes = np.flatnonzero(np.diff(labels)) + 1
    edges = [0, *changes.tolist(), len(labels)]
    return [
        Segment(int(labels[start]), start, end)
        for start, end in itertools.pairwise(edges)
        if labels[start] >= 0
    ]


def scores(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Returns `f1_at_10`, `f1_at_25`, `f1_at_50` and `edit_score`, all from 0 to 1.

    A predicted segment is right if it overlaps a true segment of its label, not yet found by
    another one, by at least the share: intersection over union. F1 counts the segments of all
    sequences together. The edit score is the mean over sequences of 1 - d / n, where d is the
    Levenshtein distance of the two lists of labels, and n the longer one's length.

    Args:
        pairs: for each sequence the right labels and the answers, int [steps] each. Steps without
            a right label (below 0) are left out of both.
    """
    found = {share: [0, 0, 0] for share in OVERLAPS}  # right, predicted, true
    edits = []
    for labels, answers in pairs:
        known = labels >= 0
        truth, said = of_labels(labels[known]), of_labels(answers[known])
        if not truth:
            continue
        for share, counts in found.items():
            counts[0] += _matches(truth, said, share / 100)
            counts[1] += len(said)
            counts[2] += len(truth)
        first, second = ([each.label for each in part] for part in (truth, said))
        edits.append(1 - distance(first, second) / max(len(first), len(second)))
    measured = {f"f1_at_{share}": tag_measures.Score(*counts).f1 for share, counts in found.items()}
    return {**measured, "edit_score": float(np.mean(edits)) if edits else 0.0}


def _matches(truth: list[Segment], said: list[Segment], share: float) -> int:
    taken = [False] * len(truth)
    right = 0
    for segment in said:
        best, place = 0.0, -1
        for at, other in enumerate(truth):
            if other.label != segment.label:
                continue
            common = min(segment.end, other.end) - max(segment.start, other.start)
            union = max(segment.end, other.end) - min(segment.start, other.start)
            if common > 0 and common / union > best:
                best, place = common / union, at
        if place >= 0 and best >= share and not taken[place]:
            taken[place] = True
            right += 1
    return right


def distance(first: Sequence[Any], second: Sequence[Any]) -> int:
    """Returns the least number of insertions, deletions and exchanges (Levenshtein 1966)."""
    row = list(range(len(second) + 1))
    for at, label in enumerate(first, 1):
        before, row[0] = row[0], at
        for place, other in enumerate(second, 1):
            before, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, before + (label != other)),
            )
    return row[-1]
