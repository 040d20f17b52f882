"""Which events were found, missed and made up: the examples of a report, as plots and a table."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import numpy as np

from apps import comparison, plots, report, run_folder
from apps.anomaly_detection import alarm_plots, detections, events, measures, scored_series, series
from apps.anomaly_detection import config as configs

_SHOWN = 2  # of each kind
_LISTED = 20  # alarms
_Span = tuple[int, int, int]  # number of a series, start, end


def sections(
    folder: run_folder.RunFolder[configs.Config],
    collection: series.Collection,
    scored: Sequence[scored_series.ScoredSeries],
    model: detections.Detection,
) -> list[report.Section]:
    """The whole test part of one series, its alarms as a table, and single events near by."""
    found = [len(measures.ranges(_test_labels(one))) for one in collection.series]
    chosen = int(np.argmax(found))
    one = collection.series[chosen]
    whole = _shown(collection, scored, model, chosen)
    named = f" of {one.name}" if len(collection.series) > 1 else ""
    blocks: list[report.Block] = [
        alarm_plots.save(
            folder.plots,
            "test_part",
            f"The test part{named}",
            f"{whole.column_name} with {found[chosen]} labelled events and "
            f"{len(model.alarms[chosen])} alarms, and the scores with the threshold.",
            whole,
        ),
        _table(collection, scored, model, chosen),
    ]
    made = [report.Section("Alarms", blocks)]
    for title, heading, spans in zip(
        ("Found", "Missed", "False alarm"),
        ("Events found, the clearest ones", "Events missed", "False alarms, the loudest ones"),
        _kinds(collection, model),
        strict=True,
    ):
        drawn: list[report.Block] = [
            _near(folder, collection, scored, model, span, f"{title} {at}")
            for at, span in enumerate(_loudest(spans, scored), 1)
        ]
        count = f"{len(spans)} in the test part{'s' if len(collection.series) > 1 else ''}."
        made.append(report.Section(heading, [report.Paragraph(count), *drawn]))
    return made


def _kinds(
    collection: series.Collection, model: detections.Detection
) -> tuple[list[_Span], list[_Span], list[_Span]]:
    """Found events, missed events and false alarms of all labelled series."""
    found: list[_Span] = []
    missed: list[_Span] = []
    false: list[_Span] = []
    for number, (one, alarms) in enumerate(zip(collection.series, model.alarms, strict=True)):
        if one.labels is None:
            continue
        offset = one.validation_end
        labelled = [
            (offset + start, offset + end) for start, end in measures.ranges(_test_labels(one))
        ]
        for start, end in labelled:
            hit = measures.count_events([(start, end)], alarms).found_events
            (found if hit else missed).append((number, start, end))
        for start, end in alarms:
            if measures.count_events(labelled, [(start, end)]).false_alarms:
                false.append((number, start, end))
    return found, missed, false


def _loudest(spans: Sequence[_Span], scored: Sequence[scored_series.ScoredSeries]) -> list[_Span]:
    def peak(span: _Span) -> float:
        return float(scored[span[0]].scores[span[1] : span[2]].max())

    return sorted(spans, key=peak, reverse=True)[:_SHOWN]


def _near(
    folder: run_folder.RunFolder[configs.Config],
    collection: series.Collection,
    scored: Sequence[scored_series.ScoredSeries],
    model: detections.Detection,
    span: _Span,
    title: str,
) -> plots.Plot:
    number, start, end = span
    one = collection.series[number]
    shown = _shown(collection, scored, model, number, (start, end))
    peak = float(scored[number].scores[start:end].max())
    moment = _written(one, start)
    return alarm_plots.save(
        folder.plots,
        title.lower().replace(" ", "_"),
        f"{title}: {moment}",
        f"{title} in {one.name}, {shown.column_name}, {end - start} steps from {moment}; highest "
        f"score {comparison.number(peak)}, threshold {comparison.number(shown.threshold)}.",
        shown.around(start, end, max(60, 2 * (end - start))),
    )


def _shown(
    collection: series.Collection,
    scored: Sequence[scored_series.ScoredSeries],
    model: detections.Detection,
    number: int,
    span: tuple[int, int] | None = None,
) -> alarm_plots.Shown:
    """The series with the channel that contributed most to the scores of the span, or of alarms."""
    one = collection.series[number]
    spans = [span] if span else model.alarms[number] or [(one.validation_end, len(one))]
    shares = sum(
        scored[number].contributions[start:end].sum(axis=0, dtype=np.float64)
        for start, end in spans
    )
    column = int(np.argmax(shares))
    return alarm_plots.Shown(
        one,
        column,
        collection.feature_names[column],
        scored[number].scores,
        model.threshold.value,
        model.alarms[number],
        one.validation_end,
        len(one),
    )


def _table(
    collection: series.Collection,
    scored: Sequence[scored_series.ScoredSeries],
    model: detections.Detection,
    number: int,
) -> report.Table:
    one, each = collection.series[number], scored[number]
    labelled = measures.ranges(np.asarray(one.labels)) if one.labels is not None else []
    rows = []
    is_over = np.zeros(len(one), bool)
    for start, end in model.alarms[number][:_LISTED]:
        is_over[start:end] = True
    for event in events.from_flags(
        is_over, each.scores, contributions=each.contributions, names=collection.feature_names
    ):
        hit = measures.count_events(labelled, [(event.start, event.end)]).false_alarms == 0
        rows.append(
            [
                _written(one, event.start),
                f"{event.end - event.start}",
                comparison.number(event.score),
                ", ".join(event.worst_channels),
                "yes" if hit else "no",
            ]
        )
    more = len(model.alarms[number]) - len(rows)
    return report.Table(
        "Its alarms, in order" + (f"; {more} more are not listed." if more > 0 else "."),
        ["start", "steps", "highest score", "columns that contributed most", "labelled"],
        rows,
    )


def _test_labels(one: series.Series) -> np.ndarray:
    if one.labels is None:
        return np.zeros(0, bool)
    return np.asarray(one.labels[one.validation_end :])


def _written(one: series.Series, step: int) -> str:
    if not one.dated:
        return f"step {step:,}"
    moment = datetime.datetime.fromtimestamp(float(one.times[step]), datetime.UTC)
    return f"{moment:%Y-%m-%d %H:%M}"
