"""Draws the matrix of right labels and answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.axes
import matplotlib.colors
import numpy as np

from apps.suite.evaluation import plot_style, plots

_MOST_NAMED = 40  # labels, beyond which numbers and names would overlap


def shades(theme: plot_style.Theme) -> matplotlib.colors.Colormap:
    """Returns the colours of shares, from the ground at 0 to the model's at 1."""
    return matplotlib.colors.LinearSegmentedColormap.from_list(
        "shades", [theme.ground, theme.model]
    )


def confusion(
    folder: Path,
    counts: np.ndarray,
    label_names: Sequence[str],
    unit: str = "examples",
    right: str = "right label",
) -> plots.Plot:
    """Plots examples by label and by answer; the colour is the share of a row.

    Args:
        folder: for the picture `confusion`.
        counts: of `classification.confusion`, int [labels, labels].
        label_names: of the rows and columns.
        unit: what is counted, in the plural.
        right: what the rows are, such as "said".
    """
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    size = len(label_names)

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        axes.imshow(shares, cmap=shades(theme), vmin=0, vmax=1, aspect="auto")
        if size <= _MOST_NAMED:
            for row, column in zip(*np.nonzero(counts), strict=True):
                colour = theme.ground if shares[row, column] > 0.5 else theme.ink
                text = f"{counts[row, column]:,}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
            axes.set_xticks(range(size), label_names)
            axes.set_yticks(range(size), label_names)
        if size > 6 or max(map(len, label_names)) > 12:  # side by side they would overlap
            for label in axes.get_xticklabels():
                label.set(rotation=45, ha="right")
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.set_xlabel("answered")
        axes.set_ylabel(right)

    off = counts - np.diag(np.diag(counts))
    worst = [divmod(int(at), size) for at in np.argsort(-off, axis=None, kind="stable")[:3]]
    said = [
        f"{label_names[row]} taken for {label_names[column]} {off[row, column]} times"
        for row, column in worst
        if off[row, column]
    ]
    trace = f"{int(np.trace(counts)):,} of {int(counts.sum()):,} {unit} are on the diagonal"
    height = min(12.0, 1.4 + 0.3 * max(size, 4))
    told = "; ".join([trace, *said]) + "."
    return plots.save(folder, "confusion", "What was taken for what", told, draw, height)
