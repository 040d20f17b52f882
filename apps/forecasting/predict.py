"""Forecasts the series of a file: `python -m apps.forecasting.predict history.csv`."""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import tyro

from apps.suite import errors
from apps.suite.commands import asked_model, command

if typing.TYPE_CHECKING:
    from apps.suite.export import asking
    from apps.suite.panels import asked
    from apps.suite.panels import panel as panels


TASK = "forecasting"


@dataclasses.dataclass(frozen=True)
class Options:
    """Forecast the series of a csv or parquet file; a table of quantiles by step is printed."""

    inputs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """A file of histories with the columns of the training; none = the end of the run's own data,
    forecast from one horizon before it."""
    run: asked_model.Run = Path("runs") / TASK
    model: asked_model.Export = None
    server: asked_model.Server = ""
    known: Path | None = None
    """A file of what is known ahead; rows without a target at the end of the histories do as
    well."""
    static: Path | None = None
    """A file of static columns; none = that of the training."""
    horizon: int | None = None
    """Steps to forecast; none = as many as in training. Beyond them the model goes on along paths
    that it draws."""
    quantiles: str = ".1,.5,.9"
    """Quantiles to print, between the lowest and the highest that were learned."""
    plot: Path | None = None
    """Write a .png of the first series with its bands."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON object on each line, one for each series and target."""

    def __post_init__(self) -> None:
        if self.horizon is not None and self.horizon < 1:
            raise ValueError(f"--horizon {self.horizon}: must be at least 1")
        if self.plot is not None and self.plot.suffix.lower() != ".png":
            raise ValueError(f"--plot {self.plot}: must end in .png")
        if len(self.inputs) > 1:
            raise ValueError("inputs: give one file; it may hold many series")
        for text in self.quantiles.split(","):
            try:
                level = float(text)
            except ValueError:
                level = 0.0
            if not 0 < level < 1:
                raise ValueError(f"--quantiles: {text.strip()!r} is not a number between 0 and 1")


def predict(options: Options) -> Iterator[asked.Forecast]:
    """Yields the forecast of each target of each series; each from its own end.

    Raises:
        UserError: no finished run, export or server; a file that cannot be read, that lacks a
            column of the training, or in which a known column ends early; levels outside of those
            that were learned.
    """
    from apps.forecasting import serving
    from apps.suite.export import asking
    from apps.suite.panels import asked

    for path in (*options.inputs, *([options.known] if options.known else [])):
        if not path.exists():
            raise errors.UserError(f"{path}: no such file")
    with asking.model(TASK, serving.served, options) as model:
        model.setting("context_steps")  # an export that is too old says so before files are read
        levels = sorted({float(text) for text in options.quantiles.split(",")})
        asked.refuse_levels(model, levels)
        horizon = options.horizon or int(model.setting("horizon_steps"))
        panel, rows = _panel(model, options, horizon)
        yield from asked.each(model, panel, rows, horizon, levels)


def _panel(
    model: asking.Model, options: Options, horizon: int
) -> tuple[panels.Panel, list[tuple[int, int]]]:
    """Returns the series, and the origin of each: their end, or for a run's own data before it."""
    from apps.forecasting import data, trained_model
    from apps.suite.panels import histories

    if not options.inputs:
        if options.server or options.model is not None:
            raise errors.UserError("inputs: give a file; only a run (--run) has data of its own")
        panel = data.load(trained_model.load(options.run).config)
        rows = [(at, one.length - horizon) for at, one in enumerate(panel.series)]
        return panel, [row for row in rows if row[1] > 0]
    panel = histories.read(options.inputs[0], model.settings, options.known, options.static)
    histories.check(panel, horizon, "--known")
    return panel, [(at, one.length) for at, one in enumerate(panel.series)]


def _print(options: Options) -> None:
    from apps.suite.panels import asked

    shown: asked.Forecast | None = None
    for found in predict(options):
        shown = shown or found
        print(asked.as_json(found) if options.json else asked.as_table(found), flush=True)
    if options.plot is not None and shown is not None:
        _write_plot(options.plot, shown)


def _write_plot(file: Path, shown: asked.Forecast) -> None:
    import numpy as np

    from apps.suite.evaluation import plot_style
    from apps.suite.report_blocks import forecast_plots
    from apps.suite.runs import files

    truth = shown.truth if np.isfinite(shown.truth).any() else None
    picture = forecast_plots.Shown(shown.history, shown.quantiles, truth, shown.target)
    content = plot_style.png(
        plot_style.LIGHT,
        f"Forecast of {shown.series}",
        lambda axes, theme: forecast_plots.draw(axes, theme, picture, shown.levels),
        3.4,
    )
    files.write_atomically(file, content)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


if __name__ == "__main__":
    sys.exit(main())
