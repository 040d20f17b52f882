"""The tables of anomaly detection's report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from apps import comparison, report
from apps.anomaly_detection import config as configs
from apps.anomaly_detection import (
    detections,
    fault_kinds,
    scored_series,
    series,
    trained_model,
)

_ALARMS = (
    "range_f1",
    "median_delay_steps",
    "alarms_per_week",
    "expected_alarms_per_week",
    "point_adjusted_f1",
)
_MOST_SERIES = 100


class Measured(NamedTuple):
    """What `evaluate` found out, beside its metrics."""

    collection: series.Collection
    scored: Sequence[scored_series.ScoredSeries]
    model: detections.Detection
    baselines: Mapping[str, detections.Detection]
    trained: trained_model.TrainedModel
    faults: Sequence[fault_kinds.Fault]


def alarms(metrics: Mapping[str, Any]) -> report.Table:
    """Delays and rates of the model and of the baselines."""
    rows = []
    for standing in comparison.standings(metrics):
        of = metrics["test"] if standing.is_model else metrics["baselines"][standing.name]
        cells = [comparison.number(of[each]) if each in of else "none found" for each in _ALARMS]
        rows.append([standing.name, *cells])
    return report.Table(
        "Alarms, and how they relate to the labelled events.",
        ["", *map(comparison.words, _ALARMS)],
        rows,
    )


def methods(measured: Measured, config: configs.Config) -> report.Table:
    """All four ways to a threshold, on this model's scores."""
    collection = measured.collection
    scores = [each.scores for each in measured.scored]
    valid = [each.valid for each in measured.scored]
    rows = []
    for method in ("alarm_budget", "peaks_over_threshold", "quantile", "dynamic"):
        settings = dataclasses.replace(config.threshold, method=method)
        changed = dataclasses.replace(config, threshold=settings)
        found = detections.detect(collection, changed, scores, valid)
        counts = detections.event_counts(collection, found)
        observed = detections.metrics(collection, found)["alarms_per_week"]
        rows.append(
            [
                words(method) + (", used" if method == config.threshold.method else ""),
                comparison.number(found.threshold.value),
                comparison.number(found.threshold.expected_alarms_per_week),
                comparison.number(observed),
                f"{counts.found_events} of {counts.events}",
                f"{counts.false_alarms}",
            ]
        )
    return report.Table(
        "The ways to a threshold, each fitted on this model's validation scores: the alarms a week "
        "that it expected, and those of the test part, where the anomalies add theirs.",
        ["", "threshold", "expected a week", "in the test part", "events found", "false alarms"],
        rows,
    )


def by_kind(measured: Measured) -> list[report.Block]:
    """What was found of each kind of fault, by the model and by the baselines."""
    if not measured.faults:
        return []
    faults, collection = list(measured.faults), measured.collection
    detectors = {comparison.MODEL: measured.model, **measured.baselines}
    counted = {
        name: fault_kinds.tally(faults, collection, each) for name, each in detectors.items()
    }
    rows = [
        [kind, f"{of_model.faults}", *(f"{each[kind].found}" for each in counted.values())]
        for kind, of_model in counted[comparison.MODEL].items()
    ]
    return [
        report.Table(
            "Faults that were found, by their kind. An alarm that follows a fault's end found "
            "nothing; false alarms stand in the table above.",
            ["", "there are", *detectors],
            rows,
        )
    ]


def by_series(measured: Measured) -> list[report.Block]:
    """VUS-PR of each series beside the baselines, where there are several."""
    of_model = detections.vus_pr_by_series(measured.collection, measured.model)
    if len(of_model) < 2:
        return []
    others = {
        name: detections.vus_pr_by_series(measured.collection, each)
        for name, each in measured.baselines.items()
    }
    rows = [
        [name, *(comparison.number(each[name]) for each in (of_model, *others.values()))]
        for name in list(of_model)[:_MOST_SERIES]
    ]
    best = sum(
        value >= max(each[name] for each in others.values()) for name, value in of_model.items()
    )
    return [
        report.Table(
            f"VUS-PR by series; this model is best in {best} of {len(of_model)}.",
            ["", comparison.MODEL, *others],
            rows,
        )
    ]


def words(method: str) -> str:
    """A method of the threshold as a person writes it."""
    return {
        "alarm_budget": "an alarm budget",
        "peaks_over_threshold": "peaks over threshold",
        "quantile": "a quantile",
        "dynamic": "dynamic thresholds",
    }[method]
