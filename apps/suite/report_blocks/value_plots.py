"""Plots values with their intervals: beside the truth of all cases, and along one sequence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.axes
import numpy as np

from apps.suite.evaluation import plot_style, plots, regression
from apps.suite.runs import files

_MOST_POINTS = 3_000
_MOST_TARGETS = 3  # courses of so many targets are drawn


def truth_and_answer(
    folder: Path, names: Sequence[str], found: regression.Answers, truths: np.ndarray
) -> plots.Plot:
    """Plots the answer over the truth of each case of the first target, at most 3,000."""
    known = np.flatnonzero(np.isfinite(truths[:, 0]))
    if len(known) > _MOST_POINTS:
        known = np.random.default_rng(0).choice(known, _MOST_POINTS, replace=False)
    truth, value = truths[known, 0], found.value[known, 0]
    ends = [min(truth.min(), value.min()), max(truth.max(), value.max())]

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        axes.plot(ends, ends, color=theme.other, linewidth=1.2, label="as it is")
        axes.vlines(
            truth,
            found.lower[known, 0],
            found.upper[known, 0],
            color=theme.model,
            alpha=min(0.35, 60 / len(known)),
            linewidth=1,
        )
        axes.plot(truth, value, "o", color=theme.model, markersize=2.5, alpha=0.6, label="answer")
        axes.set_xlabel(f"{names[0]}, truth")
        axes.set_ylabel("answer with its interval")
        plot_style.legend(axes, theme)

    correlation = np.corrcoef(truth, value)[0, 1] if len(known) > 2 else 1.0
    said = f"Answers over truths of {names[0]} for {len(known)} test cases; correlation "
    return plots.save(
        folder, "truth_and_answer", "Answers beside the truth", f"{said}{correlation:.3f}.", draw,
        height_inches=4.2,
    )  # fmt: skip


def write_png(path: Path, found: regression.Course, names: Sequence[str]) -> None:
    """Writes a course as a .png file."""
    drawing = plot_style.png(plot_style.LIGHT, found.name, drawn(found, names), 3.4)
    files.write_atomically(path, drawing)


def drawn(found: regression.Course, names: Sequence[str]) -> plot_style.Draw:
    """Returns the function that draws a course: at most three targets, over each other."""

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> Any:
        steps = np.arange(len(found.truth))
        shown = min(_MOST_TARGETS, found.truth.shape[1])
        shift = 0.0
        for at in range(shown):
            ends = (found.answers.lower[:, at], found.answers.upper[:, at])
            lower, upper = float(ends[0].min()), float(ends[1].max())
            moved = shift - lower if shown > 1 else 0.0  # one target above the other
            axes.fill_between(
                steps,
                ends[0] + moved,
                ends[1] + moved,
                color=theme.model,
                alpha=0.2,
                linewidth=0,
            )
            value = found.answers.value[:, at] + moved
            first = at == 0
            axes.plot(steps, found.truth[:, at] + moved, color=theme.other, linewidth=1.4,
                      label="truth" if first else None)  # fmt: skip
            axes.plot(steps, value, color=theme.model, linewidth=1.4,
                      label="answer with its interval" if first else None)  # fmt: skip
            if shown > 1:
                axes.annotate(names[at], (0, upper + moved), fontsize="small")
                shift += 1.1 * (upper - lower)
        axes.set_xlabel("step")
        axes.set_ylabel(names[0] if shown == 1 else "one target above the other")
        plot_style.legend(axes, theme)

    return draw
