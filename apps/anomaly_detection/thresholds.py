"""Fits thresholds on the scores of the validation part, without labels.

    quantile              that quantile of the scores
    peaks_over_threshold  the score that a usual step exceeds with probability `risk`, from the
                          tail of all steps (Siffer et al. 2017)
    dynamic               ε of Hundman et al. (2018) on each series' validation part, the highest of
                          them; a whole series is judged by thresholds of its own, see `flags`
    alarm_budget          the lowest one with at most `alarms_per_week`: as many events as the
                          validation part may have; where that is not even one, from their tail,
                          which tells of events up to ten times rarer than the part is long

Each comes with the alarms a week that are to be expected: the events of the validation part, or,
where there are fewer than five, what the tail of their peaks says.

The upper tail of scores as a generalised Pareto distribution, and thresholds far out in it.

Above a high start u the excesses y = x - u of any common distribution tend to

    P(Y > y) = (1 + γ y / σ)^(-1/γ),   exp(-y / σ) for γ = 0

(Pickands 1975; Siffer, Fouque, Termier and Largouët, "Anomaly detection in streams with extreme
value theory", KDD 2017, section 3). Scores of neighbouring steps hang together, so what counts
alarms is fitted on one peak an event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy import stats

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import dynamic_threshold, events

_ENOUGH = 20  # excesses for a shape; fewer get that of the exponential distribution
_SHAPES = (-0.5, 0.9)  # outside, maximum likelihood or the mean breaks down


@dataclass(frozen=True)
class Tail:
    """The scores above `start`: `count` excesses, and the distribution's γ and σ."""

    start: float
    count: int
    shape: float
    scale: float

    def exceedances(self, value: float) -> float:
        """Returns the number of excesses above a value >= start to expect in as much data."""
        excess = value - self.start
        if self.scale == 0 or self.count == 0:
            return float(self.count) if excess <= 0 else 0.0
        return self.count * float(stats.genpareto.sf(excess, self.shape, scale=self.scale))

    def value_of(self, exceedances: float) -> float:
        """Returns the value that a number of excesses, less than `count`, are above."""
        if self.scale == 0 or self.count == 0 or exceedances >= self.count:
            return self.start
        share = exceedances / self.count
        return self.start + float(stats.genpareto.isf(share, self.shape, scale=self.scale))


def fit_steps(scores: Sequence[np.ndarray], tail_fraction: float) -> Tail:
    """Fits the tail of all steps of several series: the largest `tail_fraction` of their scores."""
    together = np.concatenate(scores)
    start = float(np.quantile(together, 1 - tail_fraction))
    return _fit(start, together[together > start])


def fit_peaks(
    scores: Sequence[np.ndarray], tail_fraction: float, event_settings: configs.EventConfig
) -> Tail:
    """Fits the tail of the events' peaks that the largest `tail_fraction` of the scores form."""
    start = float(np.quantile(np.concatenate(scores), 1 - tail_fraction))
    merge, cool_down = event_settings.merge_steps, event_settings.cool_down_steps
    peaks = [
        series[first:last].max()
        for series in scores
        for first, last in events.intervals(series > start, merge, cool_down)
    ]
    return _fit(start, np.array(peaks))


def lowest(scores: np.ndarray, is_allowed: Callable[[float], bool]) -> float:
    """Finds the lowest score that is allowed as a threshold, searched from the top.

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


WEEK_SECONDS = 604_800.0
_RAREST = 0.1  # events in the validation part; its tail says nothing about rarer ones
RAISED = "allowed_alarms_per_week"
"""Parameter of an alarm budget that was too small for the validation part: the one in its place."""

_ENOUGH_EVENTS = 5  # with fewer, a count says less than the tail


@dataclass(frozen=True)
class Threshold:
    """A score above `value` is anomalous.

    Attributes:
        expected_alarms_per_week: on data like the validation part; of series without times, in
            604,800 steps.
        parameters: what else the method has found, for the report.
    """

    value: float
    method: str
    expected_alarms_per_week: float
    parameters: dict[str, float] = field(default_factory=dict)


class _Validation(NamedTuple):
    """Scores float64 [time] of each series, their total length, and their tail."""

    scores: list[np.ndarray]
    weeks: float
    event_settings: configs.EventConfig
    peaks: Tail

    def events_above(self, value: float) -> int:
        flags = [each > value for each in self.scores]
        merge, cool_down = self.event_settings.merge_steps, self.event_settings.cool_down_steps
        return events.count(flags, merge, cool_down)


def fit(
    settings: configs.ThresholdConfig,
    validation_scores: Sequence[np.ndarray],
    step_seconds: float,
    event_settings: configs.EventConfig = configs.EventConfig(),
) -> Threshold:
    """Fits the threshold that the settings ask for.

    Args:
        settings: method and its numbers.
        validation_scores: float [time] of each series, without the steps that have no score.
        step_seconds: from a step to the next.
        event_settings: how alarms become events.

    Raises:
        ValueError: no score, or one that is not finite.
    """
    scores = [np.asarray(each, np.float64) for each in validation_scores if len(each)]
    if not scores or not all(np.isfinite(each).all() for each in scores):
        raise ValueError("a threshold needs validation scores, all of them finite")
    validation = _Validation(
        scores,
        sum(len(each) for each in scores) * step_seconds / WEEK_SECONDS,
        event_settings,
        fit_peaks(scores, settings.tail_fraction, event_settings),
    )
    value, parameters = _METHODS[settings.method](settings, validation)
    return Threshold(
        float(value), settings.method, _expected_alarms_per_week(value, validation), parameters
    )


def told(threshold: Threshold, asked_per_week: float) -> str:
    """Returns a sentence on a budget that the validation part was too short for; or ""."""
    allowed = threshold.parameters.get(RAISED)
    if allowed is None:
        return ""
    return (
        f"the validation part is too short for {asked_per_week:g} alarms a week: the threshold is "
        f"set for {allowed:.3g} a week, the rarest that it can tell; more rows allow fewer"
    )


def flags(
    threshold: Threshold, settings: configs.ThresholdConfig, scores: np.ndarray
) -> np.ndarray:
    """Flags the steps of a series that are anomalous, bool [time].

    The dynamic method finds thresholds along the series (`dynamic_threshold.flags`), for which the
    whole series must be there; an export decides by `threshold.value`.
    """
    if threshold.method != "dynamic":
        return scores > threshold.value
    return dynamic_threshold.flags(
        scores,
        settings.dynamic_window_steps,
        settings.dynamic_batch_steps,
        settings.pruning_fraction,
    )


def _expected_alarms_per_week(value: float, validation: _Validation) -> float:
    counted = validation.events_above(value)
    if counted >= _ENOUGH_EVENTS or value < validation.peaks.start:
        return counted / validation.weeks
    return validation.peaks.exceedances(value) / validation.weeks


def _quantile(
    settings: configs.ThresholdConfig, validation: _Validation
) -> tuple[float, dict[str, float]]:
    return float(np.quantile(np.concatenate(validation.scores), settings.quantile)), {}


def _peaks_over_threshold(
    settings: configs.ThresholdConfig, validation: _Validation
) -> tuple[float, dict[str, float]]:
    steps = fit_steps(validation.scores, settings.tail_fraction)
    count = sum(len(each) for each in validation.scores)
    return steps.value_of(settings.risk * count), _described(steps)


def _dynamic(
    settings: configs.ThresholdConfig, validation: _Validation
) -> tuple[float, dict[str, float]]:
    found = [dynamic_threshold.find(each, settings.pruning_fraction) for each in validation.scores]
    return max(each.epsilon for each in found), {}


def _alarm_budget(
    settings: configs.ThresholdConfig, validation: _Validation
) -> tuple[float, dict[str, float]]:
    budget = settings.alarms_per_week * validation.weeks
    if budget < 1:
        highest = max(float(each.max()) for each in validation.scores)
        allowed = max(budget, _RAREST)
        found = _described(validation.peaks)
        if allowed > budget:
            found[RAISED] = allowed / validation.weeks
        return max(highest, validation.peaks.value_of(allowed)), found
    scores = np.concatenate(validation.scores)
    return lowest(scores, lambda value: validation.events_above(value) <= budget), {}


def _described(tail: Tail) -> dict[str, float]:
    return {"tail_start": tail.start, "tail_shape": tail.shape, "tail_scale": tail.scale}


_METHODS = {
    "quantile": _quantile,
    "peaks_over_threshold": _peaks_over_threshold,
    "dynamic": _dynamic,
    "alarm_budget": _alarm_budget,
}
