"""Finds nonparametric dynamic thresholds with pruning (Hundman et al. 2018, section 3.2).

Over a window of the latest scores s the threshold is

    ε = μ(s) + z σ(s),   z = argmax of (Δμ / μ(s) + Δσ / σ(s)) / (|above| + |sequences|²),

    Δμ = μ(s) - μ(s not above ε),   Δσ = σ(s) - σ(s not above ε),

for z in a few steps. The chosen ε makes the rest calmest once the scores above it are removed, at
the cost of the steps and, squared, of the sequences that it removes.

Pruning: the maxima of the sequences above ε are put in descending order, with the highest score
that is not above ε as the last. The sequences down to the last decrease by at least the share p
from one to the next stay; those after it do not stand out well enough, and are dropped.

What the paper leaves open is as in the authors' program: a z that makes more than five sequences,
or of half of the window and more, is left out; sequences may be drawn out on both sides before they
are counted; what earlier windows have found is not calm; and with `drops`, scores that fall far
below their mean are sought like rising ones, in 2 μ(s) - s.

Source: Hundman, Constantinou, Laporte, Colwell and Söderström, "Detecting spacecraft anomalies
using LSTMs and nonparametric dynamic thresholding", KDD 2018.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from apps.anomaly_detection import events

DEVIATIONS = np.arange(2.5, 12.0, 0.5)
"""The z that are tried."""

_MOST_SEQUENCES = 5


class Found(NamedTuple):
    """The threshold of a window, and [start, end) of each sequence that pruning has left."""

    epsilon: float
    sequences: list[tuple[int, int]]


def find(
    scores: np.ndarray,
    pruning_fraction: float,
    padding_steps: int = 0,
    *,
    least_score: float = -np.inf,
    first_step: int = 0,
    known: np.ndarray | None = None,
) -> Found:
    """Finds threshold and sequences of one window.

    Args:
        scores: float [time], smoothed.
        pruning_fraction: p.
        padding_steps: added to each sequence on both sides; sequences that meet are one.
        least_score: a score that is not above it is in no sequence, however low ε is.
        first_step: that a sequence may have; those before it are there for ε and the pruning.
        known: bool [time], steps that earlier windows have found.

    Returns:
        ε is μ + the largest z σ where no z has anything above it.
    """
    scores = np.asarray(scores, np.float64)
    epsilon = _epsilon(scores, padding_steps)
    is_above = scores > max(epsilon, least_score)
    is_anomalous = np.zeros(len(scores), bool)
    for start, end in events.padded(events.intervals(is_above), padding_steps, len(scores)):
        is_anomalous[start:end] = True
    is_anomalous[:first_step] = False
    sequences = events.intervals(is_anomalous)
    is_calm = ~is_anomalous if known is None else ~(is_anomalous | known)
    return Found(epsilon, _pruned(scores, sequences, is_calm, pruning_fraction))


def flags(
    scores: np.ndarray,
    window_steps: int,
    batch_steps: int,
    pruning_fraction: float,
    padding_steps: int = 0,
    *,
    least_score: float = -np.inf,
    first_step: int = 0,
    drops: bool = False,
) -> np.ndarray:
    """Flags the steps of a whole series that lie in an anomalous sequence, bool [time].

    A threshold is found for every `batch_steps` on the `window_steps` that end with them, and
    decides on them alone; the first window decides on all its steps from `first_step` on. With
    `drops` low scores are sought too. The other arguments are those of `find`.
    """
    scores = np.asarray(scores, np.float64)
    found = np.zeros(len(scores), bool)
    for start, decided, end in _windows(len(scores), window_steps, batch_steps):
        window, known = scores[start:end], found[start:end].copy()
        mean = float(window.mean())
        sides = [window, 2 * mean - window] if drops and mean > least_score else [window]
        for side in sides:
            part = find(
                side,
                pruning_fraction,
                padding_steps,
                least_score=least_score,
                first_step=max(0, first_step - start),
                known=known,
            )
            for first, last in part.sequences:
                found[max(decided, start + first) : start + last] = True
    return found


def _epsilon(scores: np.ndarray, padding_steps: int) -> float:
    mean, deviation = scores.mean(), scores.std()
    best, best_value = mean + DEVIATIONS[-1] * deviation, -np.inf
    if deviation == 0:
        return float(best)
    for epsilon in mean + DEVIATIONS * deviation:
        is_above = scores > epsilon
        above = int(is_above.sum())
        if above == 0:
            break  # a larger z has none either
        sequences = events.padded(events.intervals(is_above), padding_steps, len(scores))
        steps = sum(end - start for start, end in sequences)
        if len(sequences) > _MOST_SEQUENCES or steps >= len(scores) / 2:
            continue
        calm = scores[~is_above]
        gain = (mean - calm.mean()) / mean + (deviation - calm.std()) / deviation
        value = gain / (steps + len(sequences) ** 2)
        if value >= best_value:
            best, best_value = epsilon, value
    return float(best)


def _windows(time: int, window_steps: int, batch_steps: int) -> Iterator[tuple[int, int, int]]:
    """Yields the start of each window, the first step that it decides on, and its end."""
    end = min(window_steps, time)
    yield 0, 0, end
    while end < time:
        decided, end = end, min(end + batch_steps, time)
        yield max(0, end - window_steps), decided, end


def _pruned(
    scores: np.ndarray,
    sequences: list[tuple[int, int]],
    is_calm: np.ndarray,
    pruning_fraction: float,
) -> list[tuple[int, int]]:
    if not sequences:
        return []
    maxima = np.array([scores[start:end].max() for start, end in sequences])
    order = np.argsort(-maxima, kind="stable")
    calm = scores[is_calm].max() if is_calm.any() else 0.0
    falling = np.append(maxima[order], calm)
    decreases = (falling[:-1] - falling[1:]) / falling[:-1]
    large = np.flatnonzero(decreases >= pruning_fraction)
    kept = order[: large[-1] + 1] if len(large) else order[:0]
    return [sequences[index] for index in sorted(kept.tolist())]
