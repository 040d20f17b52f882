"""Draws a report's examples: series, scores and threshold, with labelled events and alarms."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path

import matplotlib.axes
import matplotlib.dates
import numpy as np

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import detections, events, measures, scoring
from apps.suite.evaluation import comparison, plot_style, plots, report
from apps.suite.runs import files, run_folder
from apps.suite.tables import series

_MOST_POINTS = 4_000  # of a curve; of more, the least and the greatest of each stretch are drawn


@dataclasses.dataclass(frozen=True)
class Shown:
    """A stretch of a series to be drawn.

    Attributes:
        one: the series.
        column, column_name: the channel that is drawn.
        scores: float [time] of the whole series.
        threshold: of the scores.
        alarms: [start, end) of each, in steps of the series.
        start, end: the steps that are drawn.
    """

    one: series.Series
    column: int
    column_name: str
    scores: np.ndarray
    threshold: float
    alarms: Sequence[tuple[int, int]]
    start: int
    end: int

    def around(self, start: int, end: int, margin: int) -> Shown:
        """Returns the steps [start, end), widened on both sides."""
        return dataclasses.replace(
            self, start=max(0, start - margin), end=min(len(self.one), end + margin)
        )


def save_plot(folder: Path, name: str, title: str, alternative: str, shown: Shown) -> plots.Plot:
    """Writes the plot in both themes, as `plots.save` does."""

    def draw_both(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        draw(axes, theme, shown)

    return plots.save(folder, name, title, alternative, draw_both, height_inches=4.2)


def write_png(file: Path, title: str, shown: Shown) -> None:
    """Writes the plot on a light ground to a file of the user's."""

    def draw_it(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        draw(axes, theme, shown)

    files.make_folder(file.parent)
    files.write_atomically(file, plot_style.png(plot_style.LIGHT, title, draw_it, 4.2))


def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme, shown: Shown) -> None:
    """Draws the series above, its scores and the threshold below, on one axis of time."""
    axes.axis("off")
    above = axes.inset_axes((0.0, 0.45, 1.0, 0.55))
    below = axes.inset_axes((0.0, 0.0, 1.0, 0.38), sharex=above)
    part = slice(shown.start, shown.end)
    x = _times(shown.one, part)
    values = np.where(
        shown.one.observed[part, shown.column], shown.one.values[part, shown.column], np.nan
    )
    scores = np.asarray(shown.scores[part], np.float64)
    for panel, curve, colour, label in (
        (above, values, theme.ink, shown.column_name),
        (below, scores, theme.model, "score"),
    ):
        panel.plot(*_thinned(x, curve), color=colour, linewidth=1.0)
        panel.set_ylabel(label)
        panel.margins(x=0)
        panel.tick_params(length=0)
    below.axhline(
        shown.threshold, color=theme.other, linewidth=1.2, linestyle="dashed", label="threshold"
    )
    _set_score_scale(below, scores, shown.threshold)
    if shown.one.labels is not None:
        labelled = _runs(np.asarray(shown.one.labels[part]))
        _spans((above, below), x, labelled, theme.other, 0.30, "labelled event")
    alarms = [
        (max(start, shown.start) - shown.start, min(end, shown.end) - shown.start)
        for start, end in shown.alarms
        if start < shown.end and end > shown.start
    ]
    _spans((above,), x, alarms, theme.model, 0.35, "alarm")
    _mark(above, x, alarms, theme)
    above.tick_params(labelbottom=False)
    below.set_xlabel("time (UTC)" if shown.one.dated else "step")
    if shown.one.dated:
        locator = matplotlib.dates.AutoDateLocator(minticks=3, maxticks=8)
        below.xaxis.set_major_locator(locator)
        below.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(locator))
    entries = dict(zip(*reversed(below.get_legend_handles_labels()), strict=True))
    entries |= dict(zip(*reversed(above.get_legend_handles_labels()), strict=True))
    axes.legend(
        entries.values(),
        entries.keys(),
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=4,
        frameon=False,
        labelcolor=theme.ink,
        handlelength=1.6,
    )


def _times(one: series.Series, part: slice) -> np.ndarray:
    if not one.dated:
        return np.asarray(one.times[part])
    return (np.asarray(one.times[part]) * 1000).astype("datetime64[ms]")


def _set_score_scale(axes: matplotlib.axes.Axes, scores: np.ndarray, threshold: float) -> None:
    """Makes the scale logarithmic if single scores would press all others onto the axis."""
    highest = float(np.max(scores, initial=threshold))
    if threshold > 0 and highest > 8 * threshold:
        axes.set_yscale("log")
        axes.set_ylim(bottom=threshold / 30)
    else:
        axes.set_ylim(0, 1.1 * max(highest, 1e-12))


def _spans(
    panels: Sequence[matplotlib.axes.Axes],
    x: np.ndarray,
    runs: Sequence[tuple[int, int]],
    colour: str,
    alpha: float,
    label: str,
) -> None:
    for panel in panels:
        for at, (start, end) in enumerate(runs):
            panel.axvspan(
                x[start],
                x[min(end, len(x) - 1)],
                color=colour,
                alpha=alpha,
                linewidth=0,
                label=label if at == 0 and panel is panels[0] else None,
            )


def _mark(
    axes: matplotlib.axes.Axes,
    x: np.ndarray,
    alarms: Sequence[tuple[int, int]],
    theme: plot_style.Theme,
) -> None:
    """Marks the start of each alarm, whose span may be too narrow to be seen."""
    if alarms:
        starts = [x[start] for start, _ in alarms]
        axes.plot(
            starts,
            [1.0] * len(starts),
            transform=axes.get_xaxis_transform(),
            marker="v",
            linestyle="none",
            markersize=6,
            color=theme.model,
            clip_on=False,
        )


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    return measures.ranges(flags)


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the least and the greatest of each stretch, so that no spike is lost."""
    if len(y) <= _MOST_POINTS:
        return x, y
    width = -(-2 * len(y) // _MOST_POINTS)
    whole = len(y) // width * width
    stretches = y[:whole].reshape(-1, width)
    missing = np.isnan(stretches)
    least = np.argmin(np.where(missing, np.inf, stretches), axis=1)
    greatest = np.argmax(np.where(missing, -np.inf, stretches), axis=1)
    first = np.arange(0, whole, width)
    kept = np.unique(np.concatenate([first + least, first + greatest, np.arange(whole, len(y))]))
    return x[kept], y[kept]


_SHOWN = 2  # of each kind
_LISTED = 20  # alarms
_Span = tuple[int, int, int]  # number of a series, start, end


def sections(
    folder: run_folder.RunFolder[configs.Config],
    collection: series.Collection,
    scored: Sequence[scoring.ScoredSeries],
    model: detections.Detection,
) -> list[report.Section]:
    """Returns the test part of one series, its alarms as a table, and single events enlarged."""
    found = [len(measures.ranges(_test_labels(one))) for one in collection.series]
    chosen = int(np.argmax(found))
    one = collection.series[chosen]
    whole = _shown(collection, scored, model, chosen)
    named = f" of {one.name}" if len(collection.series) > 1 else ""
    blocks: list[report.Block] = [
        save_plot(
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
    """Returns found events, missed events and false alarms of all labelled series."""
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


def _loudest(spans: Sequence[_Span], scored: Sequence[scoring.ScoredSeries]) -> list[_Span]:
    def peak(span: _Span) -> float:
        return float(scored[span[0]].scores[span[1] : span[2]].max())

    return sorted(spans, key=peak, reverse=True)[:_SHOWN]


def _near(
    folder: run_folder.RunFolder[configs.Config],
    collection: series.Collection,
    scored: Sequence[scoring.ScoredSeries],
    model: detections.Detection,
    span: _Span,
    title: str,
) -> plots.Plot:
    number, start, end = span
    one = collection.series[number]
    shown = _shown(collection, scored, model, number, (start, end))
    peak = float(scored[number].scores[start:end].max())
    moment = _written(one, start)
    return save_plot(
        folder.plots,
        title.lower().replace(" ", "_"),
        f"{title}: {moment}",
        f"{title} in {one.name}, {shown.column_name}, {end - start} steps from {moment}; highest "
        f"score {comparison.number(peak)}, threshold {comparison.number(shown.threshold)}.",
        shown.around(start, end, max(60, 2 * (end - start))),
    )


def _shown(
    collection: series.Collection,
    scored: Sequence[scoring.ScoredSeries],
    model: detections.Detection,
    number: int,
    span: tuple[int, int] | None = None,
) -> Shown:
    """Returns the series with the channel that contributed most to the span, or to alarms."""
    one = collection.series[number]
    spans = [span] if span else model.alarms[number] or [(one.validation_end, len(one))]
    shares = sum(
        scored[number].contributions[start:end].sum(axis=0, dtype=np.float64)
        for start, end in spans
    )
    column = int(np.argmax(shares))
    return Shown(
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
    scored: Sequence[scoring.ScoredSeries],
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
