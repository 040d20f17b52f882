"""How the demo page draws measurements, the scores of each step, the threshold and the alarms."""

from __future__ import annotations

import matplotlib.axes
import matplotlib.dates
import numpy as np

from apps import demo_html, plot_style
from apps.demo_watched import Watched

_MOST_CHANNELS = 3
_MOST_POINTS = 4_000  # of a curve; of more, the least and the greatest of each stretch are drawn


def picture(watched: Watched) -> str:
    """The channels with the largest parts in the events above, the scores below."""
    shown = _chosen(watched)
    rows = len(shown) + 1
    title = "Measurements above, scores below"

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        axes.axis("off")
        height = 1 / rows
        x = np.arange(len(watched.scores)) if watched.given.times is None else watched.given.times
        panels = [axes.inset_axes((0.0, 0.0, 1.0, 0.82 * height))]
        for place in range(len(shown)):
            bottom = (rows - 1 - place) * height
            panels.append(axes.inset_axes((0.0, bottom, 1.0, 0.86 * height), sharex=panels[0]))
        scores, *channels = panels
        for panel, at in zip(channels, shown, strict=True):
            panel.plot(*thinned(x, watched.given.values[:, at]), color=theme.ink, linewidth=1)
            panel.set_ylabel(watched.channels[at])
            panel.tick_params(labelbottom=False)
        scores.plot(*thinned(x, watched.scores), color=theme.model, linewidth=1, label="score")
        scores.axhline(watched.threshold, color=theme.other, linestyle="dashed", label="threshold")
        scores.set_ylabel("score")
        highest = max(float(watched.scores.max()), watched.threshold)
        if watched.threshold > 0 and highest > 8 * watched.threshold:
            scores.set_yscale("log")
            scores.set_ylim(bottom=watched.threshold / 30)
        else:
            scores.set_ylim(0, 1.1 * max(highest, 1e-12))
        for panel in panels:
            for at, event in enumerate(watched.events):
                named = "alarm" if at == 0 and panel is scores else None
                panel.axvspan(
                    x[event.start], x[min(event.end, len(x) - 1)], color=theme.model,
                    alpha=0.25, linewidth=0, label=named,
                )  # fmt: skip
        for panel in channels[:1]:
            panel.plot(
                x[[event.start for event in watched.events]], np.ones(len(watched.events)),
                transform=panel.get_xaxis_transform(), marker="v", linestyle="none",
                color=theme.model, markersize=6, clip_on=False,
            )  # fmt: skip
        for panel in panels:
            panel.margins(x=0)
            panel.tick_params(length=0)
        if watched.given.times is None:
            scores.set_xlabel("step")
        else:
            locator = matplotlib.dates.AutoDateLocator(minticks=3, maxticks=7)
            scores.xaxis.set_major_locator(locator)
            scores.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(locator))
            scores.set_xlabel("time")
        handles, names = scores.get_legend_handles_labels()
        axes.legend(
            handles, names, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False,
            labelcolor=theme.ink,
        )  # fmt: skip

    told = (
        f"{', '.join(watched.channels[at] for at in shown)} over {len(watched.scores):,} steps; "
        f"the score is above the threshold of {watched.threshold:.3g} in "
        f"{len(watched.events)} events."
    )
    return demo_html.picture(title, told, draw, height_inches=1.4 + 1.5 * rows)


def _chosen(watched: Watched) -> list[int]:
    """The channels that are drawn, by how much of the events is theirs, then by their order."""
    parts = dict.fromkeys(watched.channels, 0.0)
    for event in watched.events:
        parts[event.channel] += event.share
    order = sorted(range(len(watched.channels)), key=lambda at: -parts[watched.channels[at]])
    return sorted(order[:_MOST_CHANNELS])


def thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The curve with so many points at most; a stretch keeps its least and its greatest value."""
    if len(y) <= _MOST_POINTS:
        return x, y
    width = -(-2 * len(y) // _MOST_POINTS)
    kept = []
    for start in range(0, len(y), width):
        part = y[start : start + width]
        if not np.isnan(part).all():
            kept += [start + int(np.nanargmin(part)), start + int(np.nanargmax(part))]
    at = np.unique(kept)
    return x[at], y[at]
