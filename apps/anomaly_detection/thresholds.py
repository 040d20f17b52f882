"""Thresholds, fitted on the scores of the validation part without any label.

    quantile              that quantile of the scores
    peaks_over_threshold  the score that a usual step exceeds with probability `risk`, from the
                          tail of all steps (Siffer et al. 2017)
    dynamic               ε of Hundman et al. (2018) on each series' validation part, the highest of
                          them; a whole series is judged by thresholds of its own, see `flags`
    alarm_budget          the lowest one with at most `alarms_per_week`: as many events as the
                          validation part may have; where that is not even one, from their tail

Each comes with the alarms a week that are to be expected: the events of the validation part, or,
where there are fewer than five, what the tail of their peaks says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import dynamic_threshold, events, tails

WEEK_SECONDS = 604_800.0
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
    """Scores float64 [time] of each series, how long they are together, and their tail."""

    scores: list[np.ndarray]
    weeks: float
    event_settings: configs.EventConfig
    peaks: tails.Tail

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
    """The threshold that the settings ask for.

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
        tails.fit_peaks(scores, settings.tail_fraction, event_settings),
    )
    value, parameters = _METHODS[settings.method](settings, validation)
    return Threshold(
        float(value), settings.method, _expected_alarms_per_week(value, validation), parameters
    )


def flags(
    threshold: Threshold, settings: configs.ThresholdConfig, scores: np.ndarray
) -> np.ndarray:
    """The steps of a series that are anomalous, bool [time].

    The dynamic method finds thresholds along the series (`dynamic_threshold.flags`), for which all
    of it must be there; what is served decides by `threshold.value`.
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
    steps = tails.fit_steps(validation.scores, settings.tail_fraction)
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
        return max(highest, validation.peaks.value_of(budget)), _described(validation.peaks)
    scores = np.concatenate(validation.scores)
    return tails.lowest(scores, lambda value: validation.events_above(value) <= budget), {}


def _described(tail: tails.Tail) -> dict[str, float]:
    return {"tail_start": tail.start, "tail_shape": tail.shape, "tail_scale": tail.scale}


_METHODS = {
    "quantile": _quantile,
    "peaks_over_threshold": _peaks_over_threshold,
    "dynamic": _dynamic,
    "alarm_budget": _alarm_budget,
}
