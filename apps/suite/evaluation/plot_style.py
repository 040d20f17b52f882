"""Styles plots in two themes, and renders a figure as the bytes of a PNG."""

from __future__ import annotations

import dataclasses
import io
import textwrap
from collections.abc import Callable
from typing import Any

import matplotlib
import matplotlib.axes
import matplotlib.figure

DOTS_AN_INCH = 144
WIDTH_INCHES = 7.2
LEGEND_COLUMNS = 4
_TITLE_COLUMNS, _LEAST_TITLE_COLUMNS = 62, 24  # characters on a line
_KEY_COLUMNS, _NAME_COLUMNS = 5, 0.75  # of a title: beside a name of the legend, for a character


@dataclasses.dataclass(frozen=True)
class Theme:
    """Colours, each with enough contrast to the ground of the report's page (WCAG 2.1: 4.5)."""

    ground: str
    ink: str
    faint: str  # grid and axes
    model: str
    other: str  # baselines, and what is there for comparison


LIGHT = Theme(ground="#ffffff", ink="#24292f", faint="#d5d9de", model="#0b62a8", other="#6b6f76")
DARK = Theme(ground="#16191d", ink="#dfe3e8", faint="#383e46", model="#6cb2f5", other="#9aa1aa")

Draw = Callable[[matplotlib.axes.Axes, Theme], None]


def png(theme: Theme, title: str, draw: Draw, height_inches: float) -> bytes:
    """Returns a PNG of titled axes that `draw` plots into."""
    style: Any = {  # matplotlib types its keys one by one
        "figure.facecolor": theme.ground,
        "axes.facecolor": theme.ground,
        "axes.edgecolor": theme.faint,
        "axes.labelcolor": theme.ink,
        "axes.titlecolor": theme.ink,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 12,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": theme.faint,
        "grid.linewidth": 0.6,
        "text.color": theme.ink,
        "xtick.color": theme.faint,
        "ytick.color": theme.faint,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
        "font.size": 9.5,
    }
    with matplotlib.rc_context(style):
        # No pyplot: nothing global is left behind, and no window system is asked for.
        figure = matplotlib.figure.Figure((WIDTH_INCHES, height_inches), layout="constrained")
        axes = figure.add_subplot()
        draw(axes, theme)
        if axes in figure.axes:  # a drawing may put others in its place, with a title of its own
            axes.set_title("\n".join(textwrap.wrap(title, _title_columns(axes))))
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=DOTS_AN_INCH)
    return content.getvalue()


def _title_columns(axes: matplotlib.axes.Axes) -> int:
    """Returns the characters of a title on a line, which leave a legend beside it its place."""
    shown = axes.get_legend()
    names = [text.get_text() for text in shown.get_texts()] if shown else []
    taken = sum(_KEY_COLUMNS + _NAME_COLUMNS * len(name) for name in names)
    return max(_LEAST_TITLE_COLUMNS, int(_TITLE_COLUMNS - taken))


def legend(axes: matplotlib.axes.Axes, theme: Theme) -> None:
    """Places the legend on the line of the title, where it hides nothing; a long one below all."""
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > LEGEND_COLUMNS:
        figure = axes.get_figure(root=True)
        assert figure is not None
        figure.legend(
            handles, labels, loc="outside lower center", ncols=LEGEND_COLUMNS, frameon=False,
            labelcolor=theme.ink,
        )  # fmt: skip
        return
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=LEGEND_COLUMNS,
        frameon=False,
        labelcolor=theme.ink,
        columnspacing=1.3,
        handlelength=1.6,
        borderaxespad=0.3,
    )
