"""Draws the plots of video classification: film strips, a timeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.axes
import matplotlib.colors
import numpy as np

from apps.suite.evaluation import matrix_plots, plot_style, plots

_SHOWN_FRAMES = 8  # of a strip


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
            cmap=matrix_plots.shades(theme),
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
