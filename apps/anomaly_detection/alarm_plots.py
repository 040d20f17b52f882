"""Plots of a series, its scores and the threshold, with labelled events and alarms marked."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import matplotlib.axes
import matplotlib.dates
import numpy as np

from apps import plot_style, plots, whole_files
from apps.anomaly_detection import series

_MOST_POINTS = 4_000  # of a curve; of more, the least and the greatest of each stretch are drawn


@dataclasses.dataclass(frozen=True)
class Shown:
    """What of a series is drawn.

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
        """The steps [start, end) with so many more on both sides."""
        return dataclasses.replace(
            self, start=max(0, start - margin), end=min(len(self.one), end + margin)
        )


def save(folder: Path, name: str, title: str, alternative: str, shown: Shown) -> plots.Plot:
    """Writes the plot in both themes, as `plots.save` does."""

    def draw_both(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        draw(axes, theme, shown)

    return plots.save(folder, name, title, alternative, draw_both, height_inches=4.2)


def write_png(file: Path, title: str, shown: Shown) -> None:
    """Writes the plot on a light ground to a file of the user's."""

    def draw_it(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        draw(axes, theme, shown)

    whole_files.make_folder(file.parent)
    whole_files.write_atomically(file, plot_style.png(plot_style.LIGHT, title, draw_it, 4.2))


def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme, shown: Shown) -> None:
    """The series above, its scores and the threshold below, on one axis of time."""
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
    """Logarithmic where single scores would press all others and the threshold onto the axis."""
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
    """A mark at the start of each alarm, which as a span may be too narrow to be seen."""
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
    from apps.anomaly_detection import measures

    return measures.ranges(flags)


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest of each stretch, so that no spike is lost in a long series."""
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
