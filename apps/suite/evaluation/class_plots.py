"""Plots how honest probabilities of labels are, and how early the right label is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.axes
import numpy as np

from apps.suite.evaluation import classification, plot_style, plots


def reliability(folder: Path, labels: np.ndarray, probabilities: np.ndarray) -> plots.Plot:
    """Plots how often an answer is right over how sure it was, in bins.

    Args:
        folder: for the picture `calibration`.
        labels, probabilities: as in `classification.scores`.
    """
    bins = classification.reliability(labels, probabilities)

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        axes.plot([0, 1], [0, 1], color=theme.other, linestyle="dashed", label="honest")
        sure, right, share = (list(column) for column in zip(*bins, strict=True))
        axes.plot(sure, right, color=theme.model, marker="o", label="this model")
        axes.bar(sure, share, 0.04, color=theme.faint, label="share of the answers")
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.05)
        axes.set_xlabel("probability of the answer")
        axes.set_ylabel("share that is right")
        plot_style.legend(axes, theme)

    told = ", ".join(f"{sure:.2f} sure: {right:.2f} right" for sure, right, _ in bins)
    return plots.save(folder, "calibration", "How sure and how right", f"{told}.", draw)


def by_beginning(
    folder: Path,
    name: str,
    title: str,
    accuracies: Mapping[int, float],
    unit: str,
    references: Mapping[str, float] | None = None,
) -> plots.Plot:
    """Plots the accuracy when only the beginning of each example was seen.

    Args:
        folder, name, title: of the picture.
        accuracies: by the number of units seen, in rising order.
        unit: what is seen, such as "frames of a clip".
        references: accuracies of others, which saw all.
    """
    seen, shares = list(accuracies), [100 * share for share in accuracies.values()]

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        axes.plot(seen, shares, color=theme.model, marker="o", linewidth=2)
        for (other, share), style in zip((references or {}).items(), plots.DASHES, strict=False):
            axes.axhline(100 * share, color=theme.other, linestyle=style, label=other)
        axes.set_ylim(0, 103)
        axes.set_xlabel(f"{unit} that were seen")
        axes.set_ylabel("accuracy (%)")
        if references:
            plot_style.legend(axes, theme)

    told = ", ".join(f"{count}: {share:.1f} %" for count, share in zip(seen, shares, strict=True))
    return plots.save(folder, name, title, f"Accuracy by {unit} seen: {told}.", draw)
