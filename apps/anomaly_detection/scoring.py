"""Scores whole series of any length in bounded memory, and keeps long scores on disk."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.anomaly_detection import detector, series_scales, trained_model
from apps.suite.tables import large_arrays, series

_ROWS = 64  # series that are read side by side
_STEPS_A_CALL = 32_768  # of all rows together; fewer where there are many columns
_NUMBERS_A_CALL = 500_000


class Scored(NamedTuple):
    """`detector.Scores` of one series or of a block of it: [time] and [time, features].

    `valid` is bool, all others are float32; `season_errors` is [time, scored] or [time, 0].
    """

    scores: np.ndarray
    contributions: np.ndarray
    residuals: np.ndarray
    valid: np.ndarray
    season_errors: np.ndarray


class Span(NamedTuple):
    """Steps [start, end) of a series, read from an empty state."""

    one: series.Series
    start: int
    end: int


def score(trained: trained_model.TrainedModel, one: series.Series) -> Scored:
    """Scores every step of a series, read once from its start."""
    return score_all(trained, [one])[0]


def score_all(trained: trained_model.TrainedModel, many: Sequence[series.Series]) -> list[Scored]:
    """Scores each series as `score` does, but side by side, which is much faster."""
    if trained.own:
        return [_by_its_own(trained, one) for one in many]
    ready = [trained.brought(one) for one in many]
    found = score_spans(trained.detector, [Span(one, 0, len(one)) for one, _ in ready])
    return [_levelled(each, level) for each, (_, level) in zip(found, ready, strict=True)]


def blocks(trained: trained_model.TrainedModel, one: series.Series) -> Iterator[Scored]:
    """Scores a series that is too long for memory, in blocks that follow each other."""
    own = series_scales.of_name(trained.own, one.name)
    if own is not None:
        for found in blocks(own, one):
            yield _levelled(found, _level(trained, own))
        return
    one, level = trained.brought(one)
    for _, found in _side_by_side(trained.detector, [Span(one, 0, len(one))]):
        yield _levelled(found, level)


def _by_its_own(trained: trained_model.TrainedModel, one: series.Series) -> Scored:
    """Scores a series by its own model, or another one by the model in common."""
    own = series_scales.of_name(trained.own, one.name)
    if own is None:
        return score(dataclasses.replace(trained, choice=None), one)
    return _levelled(score(own, one), _level(trained, own))


def _level(trained: trained_model.TrainedModel, own: trained_model.TrainedModel) -> float:
    """Returns the level by which a model's own threshold becomes that of the run."""
    return own.threshold.value / trained.threshold.value


def _levelled(found: Scored, level: float) -> Scored:
    """Returns scores and contributions divided by the level of their series."""
    if level == 1:
        return found
    scores, contributions = (
        each / np.float32(level) for each in (found.scores, found.contributions)
    )
    return found._replace(scores=scores, contributions=contributions)


def score_spans(detector: detector.Detector, spans: Sequence[Span]) -> list[Scored]:
    """Scores each span."""
    # Rows of like lengths go together: a group takes as long as its longest row.
    order = sorted(range(len(spans)), key=lambda index: spans[index].start - spans[index].end)
    parts: list[list[Scored]] = [[] for _ in spans]
    for first in range(0, len(order), _ROWS):
        group = order[first : first + _ROWS]
        for row, found in _side_by_side(detector, [spans[index] for index in group]):
            parts[group[row]].append(found)
    return [Scored(*(np.concatenate(each) for each in zip(*part, strict=True))) for part in parts]


def _side_by_side(
    detector: detector.Detector, spans: Sequence[Span]
) -> Iterator[tuple[int, Scored]]:
    """Yields (row, its next scores) of spans that are read together, the longest first."""
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
            # Results belong to `behind` steps before; rows that have ended read on in gaps.
            kept = slice(max(0, behind - start), max(0, min(steps, length + behind - start)))
            if kept.start < kept.stop:
                yield row, Scored(*(each[row, kept] for each in arrays))


MOST_NUMBERS = 20_000_000
"""Values of a series, steps times columns, up to which it is scored in memory."""


class ScoredSeries(NamedTuple):
    """Scores of one series, from which a report and a list of events are made.

    Attributes:
        scores: float32 [time].
        valid: bool [time], steps that have a score.
        contributions: float32 [time, features], adding up to the score; a mapped file where the
            series is long.
    """

    scores: np.ndarray
    valid: np.ndarray
    contributions: np.ndarray


def score_series(
    trained: trained_model.TrainedModel, many: Sequence[series.Series], folder: Path
) -> list[ScoredSeries]:
    """Scores each series; `folder` holds the contributions of long ones while they are used.

    Short series are read side by side, long ones in blocks.
    """
    short = [one for one in many if one.values.size <= MOST_NUMBERS]
    together = iter(score_all(trained, short))
    found = []
    for at, one in enumerate(many):
        if one.values.size <= MOST_NUMBERS:
            whole = next(together)
            found.append(ScoredSeries(whole.scores, whole.valid, whole.contributions))
        else:
            found.append(_in_blocks(trained, one, folder / f"contributions-{at}"))
    return found


def _in_blocks(trained: trained_model.TrainedModel, one: series.Series, file: Path) -> ScoredSeries:
    scores = large_arrays.GrowingArray(np.float32)
    valid = large_arrays.GrowingArray(np.bool_)
    contributions = large_arrays.GrowingArray(np.float32, one.values.shape[1], file)
    for block in blocks(trained, one):
        scores.append(block.scores)
        valid.append(block.valid)
        contributions.append(block.contributions)
    return ScoredSeries(scores.finish(), valid.finish(), contributions.finish())
