"""Plots for run folders: each a PNG on a light ground, and its twin on a dark one."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.axes

from apps.suite.evaluation import comparison, plot_style
from apps.suite.runs import files

DASHES = ("dashed", "dotted", "dashdot")


@dataclasses.dataclass(frozen=True)
class Plot:
    """A finished plot: two files, and what a person who cannot see it is told."""

    light: Path
    dark: Path
    title: str
    alternative: str


def save(
    folder: Path,
    name: str,
    title: str,
    alternative: str,
    draw: plot_style.Draw,
    height_inches: float = 3.4,
) -> Plot:
    """Writes `<name>.png` and `<name>-dark.png` into `folder`.

    `draw` is called for each theme; it plots into the axes and labels them. The title is that of
    the report's caption too, and `alternative` says in words what the plot shows.
    """
    for theme, suffix in ((plot_style.LIGHT, ""), (plot_style.DARK, "-dark")):
        files.write_atomically(
            folder / f"{name}{suffix}.png", plot_style.png(theme, title, draw, height_inches)
        )
    return Plot(folder / f"{name}.png", folder / f"{name}-dark.png", title, alternative)


def learning_curve(
    folder: Path,
    history_file: Path,
    unit: str,
    metric: str = "loss",
    references: Mapping[str, float] | None = None,
    higher_is_better: bool = False,
) -> Plot:
    """Plots the metric's training and validation columns of history.csv over the steps.

    Args:
        folder: where the two files go.
        history_file: a table with `step` and `metric` or `validation_<metric>` or both.
        unit: of the metric, for the axis.
        metric: the column.
        references: values that stay, such as a baseline's on the same validation data.
        higher_is_better: picks the best validation, which gets a mark.
    """
    columns = read_history(history_file)
    named = {"training": metric, "validation": f"validation_{metric}"}
    curves = {label: columns[column] for label, column in named.items() if column in columns}
    steps = columns["step"]
    alternative = [
        f"{label} {values[0]:.4g} at step {steps[0]:.0f}, {values[-1]:.4g} at step {steps[-1]:.0f}"
        for label, values in curves.items()
    ]
    validation = curves.get("validation", [])
    best = None
    if validation:
        best = validation.index((max if higher_is_better else min)(validation))
        alternative.append(f"best validation {validation[best]:.4g} at step {steps[best]:.0f}")
    alternative += [f"{name} {value:.4g}" for name, value in (references or {}).items()]

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        for label, values in curves.items():
            chief = label == "validation" or len(curves) == 1
            axes.plot(
                steps,
                values,
                color=theme.model if chief else theme.other,
                linewidth=2 if chief else 1.3,
                marker="o" if len(steps) < 30 else None,
                markersize=3.5,
                label=label,
            )
        if best is not None:
            axes.plot(
                steps[best],
                validation[best],
                marker="o",
                markersize=10,
                markerfacecolor="none",
                markeredgecolor=theme.model,
                markeredgewidth=1.5,
                linestyle="none",
                label=f"kept: step {steps[best]:.0f}",
            )
        for (name, value), dash in zip((references or {}).items(), DASHES, strict=False):
            axes.axhline(value, color=theme.other, linewidth=1.2, linestyle=dash)
            axes.annotate(
                f"{name}, on the validation data",
                (0.99, value),
                xycoords=("axes fraction", "data"),
                xytext=(0, 3),
                textcoords="offset points",
                horizontalalignment="right",
                fontsize="small",
            )
        axes.set_xlabel("training steps")
        axes.set_ylabel(f"{comparison.words(metric)} ({unit})")
        plot_style.legend(axes, theme)

    return save(folder, "learning_curve", "Learning curve", "; ".join(alternative) + ".", draw)


def model_and_baselines(folder: Path, metrics: Mapping[str, Any], unit: str) -> Plot:
    """Bars of the primary metric on the test data, the best one on top."""
    standings = comparison.standings(metrics)
    metric = comparison.words(metrics["primary"]["name"])
    direction = "higher" if metrics["primary"]["higher_is_better"] else "lower"

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        names = [standing.name for standing in standings]
        values = [standing.value for standing in standings]
        colours = [theme.model if standing.is_model else theme.other for standing in standings]
        bars = axes.barh(names, values, color=colours, height=0.62)
        axes.bar_label(bars, [comparison.number(v) for v in values], padding=4, color=theme.ink)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.grid(visible=False)
        axes.spines[["left"]].set_visible(True)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"{unit} ({direction} is better)")

    said = ", ".join(f"{each.name} {comparison.number(each.value)}" for each in standings)
    return save(
        folder,
        "model_and_baselines",
        "The model and its baselines on the test data",
        f"{metric} from best to worst: {said}.",
        draw,
        height_inches=0.95 + 0.42 * len(standings),
    )


def grouped_bars(
    folder: Path,
    name: str,
    title: str,
    series: Mapping[str, Mapping[str, float]],
    x_label: str,
    y_label: str,
) -> Plot:
    """Bars side by side for each category: of the model first, then of what it is compared with.

    `series` maps the name of each to its values by category; all have the same categories.
    """
    categories = list(next(iter(series.values())))
    width = 0.8 / len(series)

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        for at, (label, values) in enumerate(series.items()):
            places = [
                place + (at - (len(series) - 1) / 2) * width for place in range(len(categories))
            ]
            heights = [values[category] for category in categories]
            colour = theme.model if at == 0 else theme.other
            # The others differ by their strength
            strength = 1.0 if at == 0 else 1.0 - 0.7 * (at - 1) / len(series)
            axes.bar(places, heights, width * 0.92, color=colour, alpha=strength, label=label)
        axes.set_xticks(range(len(categories)), categories)
        axes.tick_params(axis="x", length=0)
        axes.grid(visible=False, axis="x")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        plot_style.legend(axes, theme)

    said = (
        f"{label}: " + ", ".join(f"{category} {value:.3g}" for category, value in values.items())
        for label, values in series.items()
    )
    return save(folder, name, title, "; ".join(said) + ".", draw)


def read_history(history_file: Path) -> dict[str, list[float]]:
    """Reads the columns of history.csv that are filled in every row."""
    with history_file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    names = [name for name in (rows[0] if rows else {}) if all(row[name] for row in rows)]
    return {name: [float(row[name]) for row in rows] for name in names}
