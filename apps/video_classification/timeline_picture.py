"""A picture of a timeline: the probabilities of labels over the seconds of a video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import matplotlib.axes
import numpy as np

from apps import plot_style, whole_files
from apps.video_classification.timeline import Timeline

_MOST = 6  # labels that get a colour and a name


def write(path: Path, title: str, label_names: Sequence[str], timeline: Timeline) -> None:
    """Writes a PNG file, whole or not at all: lines of the labels that lead, others faint."""
    whole_files.make_folder(path.parent)

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        _draw(axes, theme, label_names, timeline)

    whole_files.write_atomically(path, plot_style.png(plot_style.LIGHT, title, draw, 3.4))


def _draw(
    axes: matplotlib.axes.Axes,
    theme: plot_style.Theme,
    label_names: Sequence[str],
    timeline: Timeline,
) -> None:
    likely = timeline.probabilities
    first = likely.argmax(axis=1)
    # By how long they lead, then by how likely they are
    led = np.bincount(first, minlength=len(label_names))
    order = np.lexsort((-likely.mean(axis=0), -led))
    named = [int(label) for label in order[:_MOST] if led[label]]
    colours = matplotlib.colormaps["tab10"].colors  # type: ignore[attr-defined]
    times = np.append(timeline.seconds, timeline.end_seconds)
    for label in range(len(label_names)):
        values = np.append(likely[:, label], likely[-1, label])
        if label not in named:
            axes.step(times, values, where="post", color=theme.faint, linewidth=0.8)
    for place, label in enumerate(named):
        values = np.append(likely[:, label], likely[-1, label])
        style = {"color": colours[place], "label": label_names[label]}
        axes.step(times, values, where="post", linewidth=1.6, **style)
    for segment in timeline.segments(tuple(label_names)):
        label = list(label_names).index(segment.label)
        colour = colours[named.index(label)] if label in named else theme.faint
        axes.axvspan(
            segment.start_seconds, segment.end_seconds, ymin=0, ymax=0.03, color=colour, linewidth=0
        )
    axes.set(xlabel="seconds", ylabel="probability", ylim=(-0.04, 1.02))
    axes.set_xlim(min(0.0, times[0]), max(times[-1], 1e-6))
    plot_style.legend(axes, theme)
