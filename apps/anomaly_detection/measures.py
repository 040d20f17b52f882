"""Measures scores and alarms against labelled events; chance cannot pass these measures.

Scores, without a threshold: VUS-PR and the area under the precision-recall curve. Alarms: events
found and false alarms, range-based F1, delay. Point-adjusted F1 is here to be shown beside that of
random scores, which it rewards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Ranges = Sequence[tuple[int, int]]
"""First step, and the step after the last one; sorted, apart from each other."""


class EventCounts(NamedTuple):
    """Events and alarms of one series; those of several are added up field by field."""

    events: int
    found_events: int
    alarms: int
    false_alarms: int

    @property
    def precision(self) -> float:
        """Returns found events among found events and false alarms; 0 without an alarm."""
        return _ratio(self.found_events, self.found_events + self.false_alarms)

    @property
    def recall(self) -> float:
        """Returns found events among all events."""
        return _ratio(self.found_events, self.events)

    @property
    def f1(self) -> float:
        """Returns the harmonic mean of precision and recall."""
        return harmonic_mean(self.precision, self.recall)


def ranges(flags: np.ndarray) -> list[tuple[int, int]]:
    """Returns the runs of true steps in bool [time], as (first, after the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags.astype(bool), [False]])))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def area_under_precision_recall(labels: np.ndarray, scores: np.ndarray) -> float:
    """Returns the average precision of scores [time] for bool labels [time], by scikit-learn."""
    import sklearn.metrics

    return float(sklearn.metrics.average_precision_score(labels, scores))


def volume_under_precision_recall(
    labels: np.ndarray, scores: np.ndarray, buffer_steps: int | None = None
) -> float:
    """Returns VUS-PR (Paparrizos et al. 2022): range-based precision, mean over label borders.

    For a buffer of l steps, a step at distance d <= l / 2 outside a labelled range counts as
    positive by sqrt(1 - d / l), so that a detection near a border is worth something. At each
    threshold, with the flagged steps p and the softened labels w,

        precision = sum(p w) / sum(p)
        recall    = min(1, sum(p w) / ((sum(labels) + sum(w)) / 2)) * (ranges with a hit / ranges)

    and the average precision sums precision over the growth of recall, from the highest threshold
    down, over all distinct scores. The result is its mean over l = 0, 1, … `buffer_steps`.

    Args:
        labels: bool [time], with at least one true step.
        scores: float [time], higher where it is less normal.
        buffer_steps: the widest buffer; by default the median length of the labelled ranges, or 100
            where that is longer.
    """
    found = ranges(labels)
    if buffer_steps is None:
        buffer_steps = min(100, int(np.median([end - first for first, end in found])))
    order = np.argsort(-scores, kind="stable")
    rank = np.empty(len(scores), np.int64)
    rank[order] = np.arange(len(scores))
    # Equal scores cross a threshold together: only the last one of a tie is a point of the curve.
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    areas = []
    for buffer in range(buffer_steps + 1):
        weights = _softened(labels, found, buffer)
        true_positives = np.cumsum(weights[order])[last_of_tie]
        first_hits = np.sort([rank[first:end].min() for first, end in ranges(weights > 0)])
        hit_ranges = np.searchsorted(first_hits, last_of_tie, side="right") / len(first_hits)
        positives = (labels.sum() + weights.sum()) / 2
        recall = np.minimum(true_positives / positives, 1) * hit_ranges
        precision = true_positives / (last_of_tie + 1)
        areas.append(float(np.sum(np.diff(recall, prepend=0.0) * precision)))
    return float(np.mean(areas))


def _softened(labels: np.ndarray, found: Ranges, buffer: int) -> np.ndarray:
    """Returns labels as float64 [time] with sloping buffers at the borders of their ranges."""
    weights = labels.astype(np.float64)
    for first, end in found:
        for distance in range(1, buffer // 2 + 1):
            slope = np.sqrt(1 - distance / buffer)
            for at in (first - distance, end - 1 + distance):
                if 0 <= at < len(weights):
                    weights[at] += slope
    return np.minimum(weights, 1.0)


def count_events(events: Ranges, alarms: Ranges) -> EventCounts:
    """Counts as Hundman et al. (2018) do: any overlap finds an event, other alarms are false."""
    hit = [any(_overlap(event, alarm) for alarm in alarms) for event in events]
    false = [not any(_overlap(event, alarm) for event in events) for alarm in alarms]
    return EventCounts(len(events), sum(hit), len(alarms), sum(false))


def add(counts: Sequence[EventCounts]) -> EventCounts:
    """Adds the counts of several series."""
    return EventCounts(*(sum(column) for column in zip(*counts, strict=True)))


def delays(events: Ranges, alarms: Ranges) -> list[int]:
    """Returns the steps from each found event's start to its first alarm; 0 if one was on."""
    found = []
    for event in events:
        starts = [alarm[0] for alarm in alarms if _overlap(event, alarm)]
        if starts:
            found.append(max(0, min(starts) - event[0]))
    return found


def range_precision(events: Ranges, alarms: Ranges) -> float:
    """Returns the share of the alarms in events, mean over alarms (Tatbul et al. 2018).

    Flat bias, and the overlap of an alarm that touches n events counts 1 / n.
    """
    return _mean_overlap(alarms, events)


def range_recall(events: Ranges, alarms: Ranges, existence: float = 0.5) -> float:
    """Returns the share of events that was flagged, mean over events; any hit earns `existence`."""
    if not events:
        return 0.0
    hit = sum(any(_overlap(event, alarm) for alarm in alarms) for event in events) / len(events)
    return existence * hit + (1 - existence) * _mean_overlap(events, alarms)


def best_point_adjusted_f1(labels: np.ndarray, scores: np.ndarray) -> float:
    """Returns the F1 at the best threshold if one flagged step makes a whole event found.

    It rewards any scores that are high now and then: never read it without that of random scores.
    """
    found = ranges(labels)
    outside = np.sort(scores[~labels.astype(bool)])
    peaks = np.array([scores[first:end].max() for first, end in found])
    lengths = np.array([end - first for first, end in found])
    best = 0.0
    # F1 rises while false positives fall: the best threshold lies at an event's peak.
    for threshold in peaks:
        hits = int(lengths[peaks >= threshold].sum())
        false = len(outside) - int(np.searchsorted(outside, threshold, side="left"))
        best = max(best, 2 * hits / (hits + false + int(lengths.sum())))
    return best


def harmonic_mean(precision: float, recall: float) -> float:
    """Returns F1; 0 if both are 0."""
    return _ratio(2 * precision * recall, precision + recall)


def _mean_overlap(of: Ranges, others: Ranges) -> float:
    shares = []
    for one in of:
        lengths = [min(one[1], other[1]) - max(one[0], other[0]) for other in others]
        touched = [length for length in lengths if length > 0]
        whole = sum(touched) / (one[1] - one[0])
        shares.append(whole / len(touched) if touched else 0.0)
    return float(np.mean(shares)) if shares else 0.0


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0
