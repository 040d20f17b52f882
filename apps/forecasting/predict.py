"""Forecasts the series of a file: `python -m apps.forecasting.predict history.csv`."""

from __future__ import annotations

import dataclasses
import json
import sys
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import tyro

from apps.suite import errors
from apps.suite.commands import command

if typing.TYPE_CHECKING:
    import numpy as np

    from apps.suite.export import asking
    from apps.suite.panels import panel as panels


TASK = "forecasting"


@dataclasses.dataclass(frozen=True)
class Options:
    """Forecast the series of a csv or parquet file; a table of quantiles by step is printed."""

    inputs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """A file of histories with the columns of the training; none = the end of the run's own data,
    forecast from one horizon before it."""
    run: Path = Path("runs") / TASK
    """Folder of a finished run."""
    model: Path | None = None
    """Ask this version folder of an export instead of a run."""
    server: str = ""
    """Ask a model server instead: HOST:PORT for gRPC, http://HOST:PORT for REST."""
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


class Forecast(NamedTuple):
    """The forecast of one target of a series.

    Attributes:
        times: float64 [horizon], seconds since 1970 UTC, or numbers of steps.
        levels: of the quantiles asked for, rising.
        quantiles: float [horizon, levels].
        history: float32 [steps], the end of it.
        truth: float32 [horizon], NaN where nobody knows it.
        unseen: true of a series that training has not seen.
    """

    series: str
    target: str
    times: np.ndarray
    levels: tuple[float, ...]
    mean: np.ndarray
    quantiles: np.ndarray
    history: np.ndarray
    truth: np.ndarray
    unseen: bool


def predict(options: Options) -> Iterator[Forecast]:
    """Yields the forecast of each target of each series; each from its own end.

    Raises:
        UserError: no finished run, export or server; a file that cannot be read, that lacks a
            column of the training, or in which a known column ends early; levels outside of those
            that were learned.
    """
    from apps.forecasting import serving
    from apps.suite.export import asking

    for path in (*options.inputs, *([options.known] if options.known else [])):
        if not path.exists():
            raise errors.UserError(f"{path}: no such file")
    with asking.model(TASK, serving.served, options) as model:
        model.setting("context_steps")  # an export that is too old says so before files are read
        yield from _forecasts(model, options)


def _forecasts(model: asking.Model, options: Options) -> Iterator[Forecast]:
    import numpy as np

    from apps.forecasting import scoring
    from apps.suite.panels import panel as panels

    learned = np.array(model.setting("levels"))
    levels = tuple(sorted({float(text) for text in options.quantiles.split(",")}))
    if levels[0] < learned[0] or levels[-1] > learned[-1]:
        raise errors.UserError(
            f"--quantiles: the model has learned {learned[0]:g} to {learned[-1]:g}; give levels "
            "between them, or train with others in --forecast.levels"
        )
    horizon = options.horizon or int(model.setting("horizon_steps"))
    panel, rows = _panel(model, options, horizon)
    found = scoring.forecast(model, panel, rows, horizon)
    windows = panels.windows(panel, rows, 3 * horizon, horizon)
    longer = panels.forward(panel, horizon)
    for row, (at, origin) in enumerate(rows):
        one = longer.series[at]
        for column, target in enumerate(panel.target_names):
            quantiles = found.quantiles[row, :, column]
            asked = np.stack([np.interp(levels, learned, step) for step in quantiles])
            yield Forecast(
                one.name,
                target,
                one.times[origin : origin + horizon],
                levels,
                found.mean[row, :, column],
                asked,
                windows["values"][row, :, column],
                windows["truth"][row, :, column],
                bool(found.unseen[row]),
            )


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
    shown: Forecast | None = None
    for found in predict(options):
        shown = shown or found
        told = _moments(found)
        if options.json:
            steps = [
                {
                    "time": moment,
                    "mean": float(mean),
                    **{f"{level:g}": float(value) for level, value in zip(found.levels, row,
                                                                          strict=True)},
                }
                for moment, mean, row in zip(told, found.mean, found.quantiles, strict=True)
            ]  # fmt: skip
            one = {"series": found.series, "target": found.target, "unseen": found.unseen}
            print(json.dumps({**one, "steps": steps}, ensure_ascii=False), flush=True)
            continue
        note = "; training has not seen it, it is forecast as series usually are"
        print(f"{found.series}, {found.target}{note if found.unseen else ''}")
        width = max(map(len, told))
        print(" " * width, *(f"{level:>10g}" for level in found.levels))
        for moment, row in zip(told, found.quantiles, strict=True):
            print(moment.ljust(width), *(f"{value:>10.6g}" for value in row), flush=True)
    if options.plot is not None and shown is not None:
        _write_plot(options.plot, shown)


def _moments(found: Forecast) -> list[str]:
    """Returns the times of the steps as text."""
    import datetime

    if abs(found.times[0]) < 1e7:  # numbers of steps
        return [f"{time:g}" for time in found.times]
    return [
        datetime.datetime.fromtimestamp(time, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for time in found.times
    ]


def _write_plot(file: Path, shown: Forecast) -> None:
    import numpy as np

    from apps.forecasting import pictures
    from apps.suite.evaluation import plot_style
    from apps.suite.runs import files

    truth = shown.truth if np.isfinite(shown.truth).any() else None
    picture = pictures.Shown(shown.history, shown.quantiles, truth, shown.target)
    content = plot_style.png(
        plot_style.LIGHT,
        f"Forecast of {shown.series}",
        lambda axes, theme: pictures.draw(axes, theme, picture, shown.levels),
        3.4,
    )
    files.write_atomically(file, content)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


if __name__ == "__main__":
    sys.exit(main())
