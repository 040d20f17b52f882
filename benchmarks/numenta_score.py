"""The score of the Numenta Anomaly Benchmark (Lavin and Ahmad 2015), from its published definition.

A series has labelled windows. With s(y) = 2 / (1 + exp(5 y)) - 1, a detection

- inside a window earns weight_true * s(y) / s(-1), where y runs from -1 at the window's first step
  to almost 0 at its last one: only a window's best detection, its first one, counts;
- elsewhere costs weight_false * s(y), where y is the distance to the end of the window before it
  in widths of that window (less one step), and s(y) = -1 beyond three widths or before any window;

and a window without a detection costs weight_missed. The first 15 % of a series, at most 750
steps, are probation: nothing there counts. A corpus's sum of all series is scaled so that no
detection at all is 0 and a detection at the first step of each window, with none elsewhere, 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

PROBATION_FRACTION = 0.15
_PROBATION_STEPS = 5000 * PROBATION_FRACTION


class Profile(NamedTuple):
    """What is paid for a window found, a false detection and a window missed."""

    true_positive: float
    false_positive: float
    false_negative: float


STANDARD = Profile(1.0, 0.11, 1.0)
FEW_FALSE_ALARMS = Profile(1.0, 0.22, 1.0)
FEW_MISSES = Profile(1.0, 0.11, 2.0)

Windows = Sequence[tuple[int, int]]
"""First and last step (included) of each window, sorted."""


class Scored(NamedTuple):
    """One series: its detector's scores and its labels."""

    scores: np.ndarray  # float [time]
    windows: Windows


def probation_steps(steps: int) -> int:
    """How many steps at the start of a series of so many are not scored."""
    return int(min(PROBATION_FRACTION * steps, _PROBATION_STEPS))


def corpus_score(
    corpus: Sequence[Scored],
    window_count: int,
    threshold: float | Sequence[float],
    profile: Profile = STANDARD,
) -> float:
    """The normalised score, 100 at best, of the detections `scores >= threshold`.

    Args:
        corpus: the series.
        window_count: labelled windows in all files, those inside probation included.
        threshold: one for all series, or one each.
        profile: the weights.
    """
    thresholds = np.broadcast_to(threshold, len(corpus))
    raw = sum(
        _raw(series, series.scores >= level, profile)
        for series, level in zip(corpus, thresholds, strict=True)
    )
    return _normalised(raw, corpus, window_count, profile)


def best_threshold(
    corpus: Sequence[Scored], window_count: int, profile: Profile = STANDARD
) -> tuple[float, float]:
    """The benchmark's own procedure: the threshold, of all scores, whose corpus score is best.

    It reads the labels: its score is a bound, not what a detector would have reached in use.
    Returns threshold and score.
    """
    scores, gains = [np.array([np.inf])], [np.array([0.0])]
    for series in corpus:
        weights, window_of = step_weights(len(series.scores), series.windows, profile)
        order = np.argsort(-series.scores, kind="stable")
        counted = order[order >= probation_steps(len(series.scores))]
        gain = np.where(window_of[counted] < 0, weights[counted], 0.0)
        for window in range(len(series.windows)):
            inside = np.flatnonzero(window_of[counted] == window)
            # Going down the scores, a window's worth is that of the best detection so far.
            best = np.maximum.accumulate(weights[counted[inside]])
            gain[inside] = np.diff(best, prepend=-profile.false_negative)
        scores.append(series.scores[counted])
        gains.append(gain)
    together, gain = np.concatenate(scores), np.concatenate(gains)
    order = np.argsort(-together, kind="stable")
    sums = np.cumsum(gain[order])
    last_of_tie = np.append(np.flatnonzero(np.diff(together[order])), len(order) - 1)
    last_of_tie = np.union1d(last_of_tie, [0])
    at = last_of_tie[np.argmax(sums[last_of_tie])]
    threshold = float(together[order][at])
    return threshold, corpus_score(corpus, window_count, threshold, profile)


def step_weights(steps: int, windows: Windows, profile: Profile) -> tuple[np.ndarray, np.ndarray]:
    """What a detection at each step is worth, and the window it lies in (-1: none), both [time]."""
    place = np.arange(steps)
    weights = np.full(steps, -profile.false_positive)
    window_of = np.full(steps, -1)
    for number, (first, last) in enumerate(windows):
        width = last - first + 1
        behind = place > last
        distance = (place[behind] - last) / max(width - 1, 1)
        value = np.where(distance > 3, -1.0, _sigmoid(distance))
        weights[behind] = profile.false_positive * value
        inside = slice(first, last + 1)
        position = -(last + 1 - place[inside]) / width
        weights[inside] = profile.true_positive * _sigmoid(position) / _sigmoid(np.array(-1.0))
        window_of[inside] = number
    return weights, window_of


def _raw(series: Scored, detections: np.ndarray, profile: Profile) -> float:
    weights, window_of = step_weights(len(detections), series.windows, profile)
    counted = np.arange(len(detections)) >= probation_steps(len(detections))
    total = float(weights[detections & counted & (window_of < 0)].sum())
    for number in range(len(series.windows)):
        if not (counted & (window_of == number)).any():
            continue  # wholly in probation
        found = weights[detections & counted & (window_of == number)]
        total += float(found.max()) if len(found) else -profile.false_negative
    return total


def _normalised(raw: float, corpus: Sequence[Scored], window_count: int, profile: Profile) -> float:
    nothing = sum(_raw(series, np.zeros(len(series.scores), bool), profile) for series in corpus)
    return 100 * (raw - nothing) / (window_count * profile.true_positive - nothing)


def _sigmoid(position: np.ndarray) -> np.ndarray:
    return 2 / (1 + np.exp(5 * position)) - 1
