"""Draws a forecast: the end of the history, the bands, the median, and the truth if it is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.axes
import numpy as np

from apps.suite.evaluation import intervals, plot_style

_BANDS = ((0.9, 0.15), (0.8, 0.22), (0.5, 0.3))


class Shown(NamedTuple):
    """One forecast of one target.

    Attributes:
        history: float [steps], the end of it; NaN where missing.
        quantiles: float [horizon, levels].
        truth: float [horizon], or None where nobody knows it yet.
        label: of the axis.
    """

    history: np.ndarray
    quantiles: np.ndarray
    truth: np.ndarray | None
    label: str


def draw(
    axes: matplotlib.axes.Axes, theme: plot_style.Theme, shown: Shown, levels: Sequence[float]
) -> None:
    """Plots steps before the origin below 0, the forecast from 0 on."""
    before = np.arange(-len(shown.history), 0)
    ahead = np.arange(len(shown.quantiles))
    axes.plot(before, shown.history, color=theme.other, linewidth=1.2, label="history")
    for coverage, opacity in _BANDS:
        ends = intervals.ends_of(levels, coverage)
        if ends:
            low, high = (shown.quantiles[:, end] for end in ends)
            axes.fill_between(
                ahead, low, high, color=theme.model, alpha=opacity, linewidth=0,
                label=f"{coverage:.0%}",
            )  # fmt: skip
    middle = int(np.argmin(np.abs(np.array(levels) - 0.5)))
    axes.plot(ahead, shown.quantiles[:, middle], color=theme.model, linewidth=2, label="median")
    if shown.truth is not None:
        axes.plot(ahead, shown.truth, color=theme.ink, linewidth=1.2, label="truth")
    axes.axvline(-0.5, color=theme.faint)
    axes.set_xlabel("steps from the origin of the forecast")
    axes.set_ylabel(shown.label)
    plot_style.legend(axes, theme)
