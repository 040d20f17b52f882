"""Draws the plots of video classification: confusion, frames seen, film strips, a timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.axes
import matplotlib.colors
import numpy as np

from apps.suite.evaluation import plot_style, plots

_SHOWN_FRAMES = 8  # of a strip
_MOST_NAMED = 40  # labels, beyond which numbers and names would overlap


def confusion(folder: Path, counts: np.ndarray, label_names: Sequence[str]) -> plots.Plot:
    """Plots videos by label and by answer; the colour is the share of a row."""
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    size = len(label_names)

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        axes.imshow(shares, cmap=_shades(theme), vmin=0, vmax=1, aspect="auto")
        if size <= _MOST_NAMED:
            for row, column in zip(*np.nonzero(counts), strict=True):
                colour = theme.ground if shares[row, column] > 0.5 else theme.ink
                text = f"{counts[row, column]}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
            axes.set_xticks(range(size), label_names)
            axes.set_yticks(range(size), label_names)
        if size > 6:  # side by side they would overlap
            for label in axes.get_xticklabels():
                label.set(rotation=45, ha="right")
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.set_xlabel("answered")
        axes.set_ylabel("shown")

    off = counts - np.diag(np.diag(counts))
    worst = [divmod(int(at), size) for at in np.argsort(-off, axis=None, kind="stable")[:3]]
    said = [
        f"{label_names[row]} taken for {label_names[column]} {off[row, column]} times"
        for row, column in worst
        if off[row, column]
    ]
    right = f"{int(np.trace(counts))} of {int(counts.sum())} test videos are on the diagonal"
    height = min(12.0, 1.2 + 0.3 * max(size, 4))
    alternative = "; ".join([right, *said]) + "."
    return plots.save(folder, "confusion", "What was taken for what", alternative, draw, height)


def frames_seen(
    folder: Path, accuracies: Sequence[float], references: Mapping[str, float]
) -> plots.Plot:
    """Plots the accuracy after 1, 2, … frames; baselines see all frames."""
    seen = np.arange(1, len(accuracies) + 1)

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        axes.plot(seen, 100 * np.array(accuracies), color=theme.model, marker="o", linewidth=2)
        styles = ("dashed", "dotted", "dashdot")
        for (name, share), style in zip(references.items(), styles, strict=False):
            axes.axhline(100 * share, color=theme.other, linestyle=style, label=name)
        axes.set_ylim(0, 103)
        axes.set_xlabel("frames of a clip that were seen")
        axes.set_ylabel("accuracy (%)")
        if references:
            plot_style.legend(axes, theme)

    half = accuracies[(len(accuracies) - 1) // 2]
    alternative = (
        f"{100 * accuracies[0]:.1f} % after one frame, {100 * half:.1f} % after half of them, "
        f"{100 * accuracies[-1]:.1f} % after all {len(accuracies)}."
    )
    title = "How early it knows"
    return plots.save(folder, "frames_seen", title, alternative, draw)


def strip(
    folder: Path, name: str, title: str, frames: np.ndarray, length: int, told: str
) -> plots.Plot:
    """Plots a clip as a row of frames, uint8 [time, height, width, 3], with the caption `told`."""
    places = np.unique(np.linspace(0, max(0, length - 1), _SHOWN_FRAMES).round().astype(int))
    shown = frames[places]
    height, width = shown.shape[1:3]
    gap = max(1, width // 16)

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        ground = np.array(matplotlib.colors.to_rgb(theme.ground)) * 255
        row = np.full((height, len(shown) * (width + gap) - gap, 3), ground).astype(np.uint8)
        for at, frame in enumerate(shown):
            row[:, at * (width + gap) : at * (width + gap) + width] = frame
        axes.imshow(row, interpolation="nearest")
        axes.set_axis_off()

    inches = plot_style.WIDTH_INCHES * height / (len(shown) * (width + gap)) + 0.45
    alternative = f"{len(shown)} of {length} frames in a row: {told}."
    return plots.save(folder, name, title, alternative, draw, min(6.0, max(1.1, inches)))


def timeline(
    folder: Path,
    name: str,
    title: str,
    seconds: np.ndarray,
    probabilities: np.ndarray,
    label_names: Sequence[str],
    most: int = 6,
) -> plots.Plot:
    """Plots the likeliest labels' probabilities over a video, [frames, labels] at `seconds`."""
    order = np.argsort(-probabilities.max(axis=0), kind="stable")[:most]

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        edges = _edges(seconds)
        axes.pcolormesh(
            edges,
            np.arange(len(order) + 1),
            probabilities[:, order].T,
            cmap=_shades(theme),
            vmin=0,
            vmax=1,
        )
        axes.set_yticks(np.arange(len(order)) + 0.5, [label_names[at] for at in order])
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.set_xlabel("seconds")

    best = probabilities.argmax(axis=1)
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    said = [f"{label_names[best[at]]} from {seconds[at]:.1f} s" for at in starts[:8]]
    alternative = f"The likeliest label: {', '.join(said)}."
    height = 1.1 + 0.32 * max(2, len(order))
    return plots.save(folder, name, title, alternative, draw, height)


def _edges(seconds: np.ndarray) -> np.ndarray:
    """Returns the start of each moment's field, and the end of the last one."""
    if len(seconds) < 2:
        return np.array([seconds[0], seconds[0] + 1.0])
    middles = (seconds[1:] + seconds[:-1]) / 2
    return np.concatenate([[2 * seconds[0] - middles[0]], middles, [2 * seconds[-1] - middles[-1]]])


def _shades(theme: plot_style.Theme) -> matplotlib.colors.Colormap:
    return matplotlib.colors.LinearSegmentedColormap.from_list(
        "shades", [theme.ground, theme.model]
    )
