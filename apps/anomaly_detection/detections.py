"""Computes scores and alarms of the test parts, and measures them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import events, measures, series_scales, thresholds
from apps.suite.tables import series

PRIMARY = "vus_pr"
RANDOM = "random scores"


@dataclasses.dataclass(frozen=True)
class Detection:
    """Scores and alarms of all series, in their order.

    Attributes:
        threshold: fitted on the validation parts.
        scores: float [time] of each whole series.
        alarms: [start, end) of each event in the test part, in steps of the whole series.
        steps_behind: number of steps after which a step's score is known.
    """

    threshold: thresholds.Threshold
    scores: list[np.ndarray]
    alarms: list[list[tuple[int, int]]]
    steps_behind: int = 0


class _TestPart(NamedTuple):
    labels: np.ndarray  # bool [steps]
    scores: np.ndarray  # float [steps]
    alarms: list[tuple[int, int]]  # in steps of the part


def detect(
    collection: series.Collection,
    config: configs.Config,
    scores: Sequence[np.ndarray],
    valid: Sequence[np.ndarray],
    threshold: thresholds.Threshold | None = None,
    steps_behind: int = 0,
) -> Detection:
    """Thresholds and alarms from scores; where no threshold is given, one as the config says.

    Args:
        collection: the series.
        config: how a threshold is found, and how alarms become events.
        scores: float [time] of each series.
        valid: bool [time] of each: steps that have a score.
        threshold: that of a model.
        steps_behind: see `Detection`.
    """
    if threshold is None:
        threshold = fit_threshold(collection, config, scores, valid)
    alarms = []
    for one, each in zip(collection.series, scores, strict=True):
        is_over = thresholds.flags(threshold, config.threshold, each)[one.validation_end :]
        found = events.intervals(
            is_over,
            config.events.merge_steps,
            config.events.cool_down_steps,
            observed(one, collection.scored_count)[one.validation_end :],
        )
        alarms.append([(one.validation_end + at, one.validation_end + end) for at, end in found])
    return Detection(threshold, list(scores), alarms, steps_behind)


def fit_threshold(
    collection: series.Collection,
    config: configs.Config,
    scores: Sequence[np.ndarray],
    valid: Sequence[np.ndarray],
) -> thresholds.Threshold:
    """Fits the threshold of the config's method on the validation parts."""
    parts = [
        each[one.train_end : one.validation_end][ok[one.train_end : one.validation_end]]
        for one, each, ok in zip(collection.series, scores, valid, strict=True)
    ]
    step_seconds = collection.series[0].step_seconds
    return thresholds.fit(config.threshold, parts, step_seconds, config.events)


def levelled(
    collection: series.Collection, scores: Sequence[np.ndarray], valid: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Returns scores float [time] divided by the level of each series, as those of a model are."""
    parts = [
        each[one.train_end : one.validation_end][ok[one.train_end : one.validation_end]]
        for one, each, ok in zip(collection.series, scores, valid, strict=True)
    ]
    return [each / level for each, level in zip(scores, series_scales.levels(parts), strict=True)]


def observed(one: series.Series, scored_count: int) -> np.ndarray:
    """Returns the steps with at least one scored value, bool [time]."""
    return np.any(one.observed[:, :scored_count], axis=1)


def random_scores(collection: series.Collection, seed: int) -> list[np.ndarray]:
    """Returns uniform scores, which no measure should reward."""
    return [
        np.random.default_rng([seed, at]).random(len(one))
        for at, one in enumerate(collection.series)
    ]


def metrics(collection: series.Collection, detection: Detection) -> dict[str, float]:
    """Returns the measures of the test parts; without `median_delay_steps` if nothing was found.

    VUS-PR, AUC-PR and point-adjusted F1 are means over the series with a labelled event; events,
    ranges, delays and false alarms are counted over all labelled series together; alarms a week
    over all.
    """
    parts = list(_test_parts(collection, detection))
    having = [part for part in parts if part.labels.any()]
    found, alarms = _end_to_end(parts)
    counts = measures.count_events(found, alarms)
    delays = measures.delays(found, alarms)
    range_precision = measures.range_precision(found, alarms)
    range_recall = measures.range_recall(found, alarms)
    weeks = _weeks(collection.series)
    labelled = [one for one in collection.series if one.labels is not None]
    measured = {
        PRIMARY: _mean(
            measures.volume_under_precision_recall(part.labels, part.scores) for part in having
        ),
        "auc_pr": _mean(
            measures.area_under_precision_recall(part.labels, part.scores) for part in having
        ),
        "event_precision": counts.precision,
        "event_recall": counts.recall,
        "event_f1": counts.f1,
        "range_f1": measures.harmonic_mean(range_precision, range_recall),
        "alarms_per_week": sum(map(len, detection.alarms)) / weeks,
        **({"false_alarms_per_week": counts.false_alarms / _weeks(labelled)} if labelled else {}),
        "expected_alarms_per_week": detection.threshold.expected_alarms_per_week,
        "point_adjusted_f1": _mean(
            measures.best_point_adjusted_f1(part.labels, part.scores) for part in having
        ),
    }
    if delays:
        measured["median_delay_steps"] = float(np.median(delays)) + detection.steps_behind
    return measured


def _weeks(many: Sequence[series.Series]) -> float:
    """Returns the length of the test parts together."""
    seconds = sum((len(one) - one.validation_end) * one.step_seconds for one in many)
    return seconds / thresholds.WEEK_SECONDS


def vus_pr_by_series(collection: series.Collection, detection: Detection) -> dict[str, float]:
    """Returns the VUS-PR of each series with a labelled event in its test part, by name."""
    return {
        one.name: measures.volume_under_precision_recall(
            one.labels[one.validation_end :], scores[one.validation_end :]
        )
        for one, scores in zip(collection.series, detection.scores, strict=True)
        if one.labels is not None and one.labels[one.validation_end :].any()
    }


def event_counts(collection: series.Collection, detection: Detection) -> measures.EventCounts:
    """Events and alarms of all labelled test parts together."""
    return measures.count_events(*_end_to_end(list(_test_parts(collection, detection))))


def _test_parts(collection: series.Collection, detection: Detection) -> Iterator[_TestPart]:
    for one, scores, alarms in zip(
        collection.series, detection.scores, detection.alarms, strict=True
    ):
        if one.labels is None:
            continue
        start = one.validation_end
        yield _TestPart(
            np.asarray(one.labels[start:]),
            np.asarray(scores[start:]),
            [(first - start, end - start) for first, end in alarms],
        )


def _end_to_end(
    parts: Sequence[_TestPart],
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Events and alarms of all parts on one axis of steps, so that they are counted at once."""
    found: list[tuple[int, int]] = []
    alarms: list[tuple[int, int]] = []
    start = 0
    for part in parts:
        found += [(start + first, start + end) for first, end in measures.ranges(part.labels)]
        alarms += [(start + first, start + end) for first, end in part.alarms]
        start += len(part.labels) + 1
    return found, alarms


def _mean(values: Iterator[float]) -> float:
    return float(np.mean(list(values)))
