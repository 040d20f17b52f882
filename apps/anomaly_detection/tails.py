"""The upper tail of scores as a generalised Pareto distribution, and thresholds far out in it.

Above a high start u the excesses y = x - u of any common distribution tend to

    P(Y > y) = (1 + γ y / σ)^(-1/γ),   exp(-y / σ) for γ = 0

(Pickands 1975; Siffer, Fouque, Termier and Largouët, "Anomaly detection in streams with extreme
value theory", KDD 2017, section 3). Scores of neighbouring steps hang together, so what counts
alarms is fitted on one peak an event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import events

_ENOUGH = 20  # excesses for a shape; fewer get that of the exponential distribution
_SHAPES = (-0.5, 0.9)  # outside, maximum likelihood or the mean breaks down


@dataclass(frozen=True)
class Tail:
    """What lies above `start`: `count` excesses, and the distribution's γ and σ."""

    start: float
    count: int
    shape: float
    scale: float

    def exceedances(self, value: float) -> float:
        """How many excesses above a value >= start are to be expected in as much data."""
        excess = value - self.start
        if self.scale == 0 or self.count == 0:
            return float(self.count) if excess <= 0 else 0.0
        return self.count * float(stats.genpareto.sf(excess, self.shape, scale=self.scale))

    def value_of(self, exceedances: float) -> float:
        """The value that so many excesses, less than `count`, are above."""
        if self.scale == 0 or self.count == 0 or exceedances >= self.count:
            return self.start
        share = exceedances / self.count
        return self.start + float(stats.genpareto.isf(share, self.shape, scale=self.scale))


def fit_steps(scores: Sequence[np.ndarray], tail_fraction: float) -> Tail:
    """The tail of all steps of several series: the largest `tail_fraction` of their scores."""
    together = np.concatenate(scores)
    start = float(np.quantile(together, 1 - tail_fraction))
    return _fit(start, together[together > start])


def fit_peaks(
    scores: Sequence[np.ndarray], tail_fraction: float, event_settings: configs.EventConfig
) -> Tail:
    """The tail of the peaks of the events that the largest `tail_fraction` of the scores form."""
    start = float(np.quantile(np.concatenate(scores), 1 - tail_fraction))
    merge, cool_down = event_settings.merge_steps, event_settings.cool_down_steps
    peaks = [
        series[first:last].max()
        for series in scores
        for first, last in events.intervals(series > start, merge, cool_down)
    ]
    return _fit(start, np.array(peaks))


def lowest(scores: np.ndarray, is_allowed: Callable[[float], bool]) -> float:
    """The lowest of the scores, as a threshold, that is allowed, searched from the top.

    `is_allowed` holds for the highest score. It is asked for the second, third, fifth, ninth …
    highest until it fails, then in between by halves.
    """
    falling = np.unique(scores)[::-1]
    good, bad = 0, 1
    while bad < len(falling) and is_allowed(float(falling[bad])):
        good, bad = bad, 2 * bad
    bad = min(bad, len(falling))
    while bad - good > 1:
        middle = (good + bad) // 2
        if is_allowed(float(falling[middle])):
            good = middle
        else:
            bad = middle
    return float(falling[good])


def _fit(start: float, values: np.ndarray) -> Tail:
    excesses = values - start
    if len(excesses) < _ENOUGH or np.ptp(excesses) == 0:
        return Tail(start, len(excesses), 0.0, float(excesses.mean()) if len(excesses) else 0.0)
    unit = excesses.mean()  # the search for the maximum is at home near one
    shape, _, scale = stats.genpareto.fit(excesses / unit, floc=0)
    if not _SHAPES[0] <= shape <= _SHAPES[1]:
        bounded = float(np.clip(shape, *_SHAPES))
        shape, _, scale = stats.genpareto.fit(excesses / unit, f0=bounded, floc=0)
    return Tail(start, len(excesses), float(shape), float(scale * unit))
