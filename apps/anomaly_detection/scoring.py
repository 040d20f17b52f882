"""Scores of whole series, however long: rows side by side, in chunks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from apps.anomaly_detection import detector as detectors
from apps.anomaly_detection import series, trained_model

_ROWS = 64  # series that are read side by side
_STEPS_A_CALL = 32_768  # of all rows together; fewer where there are many columns
_NUMBERS_A_CALL = 500_000


class Scored(NamedTuple):
    """What `detector.Scores` says, of one series or of a block of it: [time] and [time, features].

    `scores`, `contributions` and `residuals` are float32, `valid` is bool.
    """

    scores: np.ndarray
    contributions: np.ndarray
    residuals: np.ndarray
    valid: np.ndarray


class Span(NamedTuple):
    """Steps [start, end) of a series, read from an empty state."""

    one: series.Series
    start: int
    end: int


def score(trained: trained_model.TrainedModel, one: series.Series) -> Scored:
    """Scores of every step of a series, read once from its start."""
    return score_spans(trained.detector, [Span(one, 0, len(one))])[0]


def score_all(trained: trained_model.TrainedModel, many: Sequence[series.Series]) -> list[Scored]:
    """`score` of each series; they are read side by side, which is much faster."""
    return score_spans(trained.detector, [Span(one, 0, len(one)) for one in many])


def blocks(trained: trained_model.TrainedModel, one: series.Series) -> Iterator[Scored]:
    """`score` of a series that is too long for memory, in blocks that follow each other."""
    for _, found in _side_by_side(trained.detector, [Span(one, 0, len(one))]):
        yield found


def score_spans(detector: detectors.Detector, spans: Sequence[Span]) -> list[Scored]:
    """The scores of each span."""
    # Rows of like lengths go together: a group takes as long as its longest row.
    order = sorted(range(len(spans)), key=lambda index: spans[index].start - spans[index].end)
    parts: list[list[Scored]] = [[] for _ in spans]
    for first in range(0, len(order), _ROWS):
        group = order[first : first + _ROWS]
        for row, found in _side_by_side(detector, [spans[index] for index in group]):
            parts[group[row]].append(found)
    return [Scored(*(np.concatenate(each) for each in zip(*part, strict=True))) for part in parts]


def _side_by_side(
    detector: detectors.Detector, spans: Sequence[Span]
) -> Iterator[tuple[int, Scored]]:
    """(row, its next scores) of spans that are read together, the longest first."""
    rows, behind = len(spans), detector.steps_behind
    steps = max(1, min(_STEPS_A_CALL, _NUMBERS_A_CALL // detector.features) // rows)
    lengths = [span.end - span.start for span in spans]
    states = detector.initial_states(rows)
    for start in range(0, max(lengths, default=0) + behind, steps):
        values = np.zeros((rows, steps, detector.features), np.float32)
        observed = np.zeros(values.shape, bool)
        for row, (one, begin, end) in enumerate(spans):
            part = slice(min(begin + start, end), min(begin + start + steps, end))
            values[row, : part.stop - part.start] = one.values[part]
            observed[row, : part.stop - part.start] = one.observed[part]
        present = np.arange(start, start + steps) < np.array(lengths)[:, None]
        found, states = detector.compiled(values, observed, states, present)
        arrays = [each.numpy() for each in found]
        for row, length in enumerate(lengths):
            # What comes out is of `behind` steps before; rows that have ended read on in gaps.
            kept = slice(max(0, behind - start), max(0, min(steps, length + behind - start)))
            if kept.start < kept.stop:
                yield row, Scored(*(each[row, kept] for each in arrays))
