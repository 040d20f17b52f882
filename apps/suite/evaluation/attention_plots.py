"""Draws the attention of a written text to its source: a row for each piece that is written."""

from __future__ import annotations

import typing
from collections.abc import Sequence

import numpy as np

if typing.TYPE_CHECKING:
    from apps.suite.evaluation import plot_style

END = "end"  # written for the end of a text, which has no piece


def drawing(
    source: Sequence[str], target: Sequence[str], attention: np.ndarray
) -> tuple[plot_style.Draw, float]:
    """Returns a function that draws into axes, and the height of the picture in inches.

    Args:
        source, target: pieces of both sides, with their ends.
        attention: float32 [target, source].
    """
    import matplotlib.axes
    import matplotlib.colors

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        shades = matplotlib.colors.LinearSegmentedColormap.from_list(
            "shades", [theme.ground, theme.model]
        )
        axes.imshow(attention, cmap=shades, vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(source)), [each.strip() or END for each in source], rotation=45)
        axes.set_yticks(range(len(target)), [each.strip() or END for each in target])
        for label in axes.get_xticklabels():
            label.set(ha="right")
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.set_xlabel("pieces of the source")
        axes.set_ylabel("pieces that are written")

    return draw, min(12.0, 1.6 + 0.25 * max(4, len(target)))


def cut(
    source: Sequence[bytes], target: Sequence[bytes], attention: np.ndarray
) -> tuple[list[str], list[str], np.ndarray]:
    """Cuts a row of `align` to its pieces with one end each; bytes that are no text become signs.

    Pieces at and after the ends are "".
    """
    sides = []
    for pieces in (source, target):
        count = sum(piece != b"" for piece in pieces) + 1
        sides.append([piece.decode(errors="replace") for piece in pieces[:count]])
    return sides[0], sides[1], attention[: len(sides[1]), : len(sides[0])]
