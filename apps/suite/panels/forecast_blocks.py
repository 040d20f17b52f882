"""Shows forecasts of a test part: errors by lead time and hour, what is left, examples."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.suite.evaluation import comparison, plots, report, residuals
from apps.suite.panels import measures
from apps.suite.panels import panel as panels
from apps.suite.report_blocks import forecast_plots

_LEADS = 8  # rows of the table by lead time


class Asked(NamedTuple):
    """The windows of a test with their forecasts.

    Attributes:
        quantiles: float32 [rows, horizon, targets, levels].
        levels: of them, with 0.5.
        naive: forecast to compare with, float32 [rows, horizon, targets].
    """

    panel: panels.Panel
    test: measures.Test
    quantiles: np.ndarray
    levels: tuple[float, ...]
    naive: np.ndarray

    @property
    def median(self) -> np.ndarray:
        """Returns float32 [rows, horizon, targets]."""
        return np.asarray(self.quantiles[..., self.levels.index(0.5)])


def by_lead(folder: Path, asked: Asked) -> Iterator[report.Block]:
    """Yields errors and coverage by lead time."""
    test, levels, horizon = asked.test, asked.levels, asked.test.truth.shape[1]
    borders = np.unique(np.linspace(0, horizon, min(_LEADS, horizon) + 1).astype(int))
    bars: dict[str, dict[str, float]] = {comparison.MODEL: {}, "naive": {}}
    rows = []
    for start, end in itertools.pairwise(borders):
        part = test._replace(truth=test.truth[:, start:end])
        name = f"{start + 1}" if end == start + 1 else f"{start + 1} to {end}"
        points = measures.points(part, asked.median[:, start:end])
        bands = measures.bands(part, asked.quantiles[:, start:end], levels)
        bars[comparison.MODEL][name] = points["mae"]
        bars["naive"][name] = measures.points(part, asked.naive[:, start:end])["mae"]
        covered = [each for each in bands if each.startswith("coverage")]
        values = [points["mae"], points["smape"], bands["weighted_quantile_loss"]]
        cells = [comparison.number(value) for value in values]
        rows.append([name, *cells, *(f"{bands[each]:.1%}" for each in covered)])
    yield plots.grouped_bars(
        folder, "by_lead", "Error by lead time", bars, "steps ahead", "mean absolute error"
    )
    yield report.Table(
        "By lead time, in steps.",
        ["", "MAE", "sMAPE", "weighted quantile loss", *map(comparison.words, covered)],
        rows,
    )


def by_hour(asked: Asked) -> Iterator[report.Block]:
    """Yields errors by the hour of the forecast step, of data by hours or shorter steps."""
    panel, test = asked.panel, asked.test
    if not panel.dated or panel.step_seconds >= 86_400:
        return
    horizon = test.truth.shape[1]
    times = panels.windows(panel, test.rows, 0, horizon)["times"]
    hours = np.floor(times % 86_400 / 3_600).astype(int)
    error = np.abs(test.truth - asked.median)
    naive = np.abs(test.truth - asked.naive)
    rows = [
        [f"{hour}:00", *(comparison.number(float(np.nanmean(each[hours == hour])))
                         for each in (error, naive))]
        for hour in range(24)
        if (hours == hour).any()
    ]  # fmt: skip
    yield report.Table("Mean absolute error by the hour of the day.", ["", "model", "naive"], rows)


def left(found: residuals.Residuals | None) -> Iterator[report.Block]:
    """Yields the autocorrelation of the errors one step ahead."""
    if found is None:
        return
    rows = [[f"{lag}", f"{value:+.3f}"] for lag, value in found.autocorrelation.items()]
    yield report.Table(
        "Autocorrelation of the errors one step ahead, by lag in steps; the mean over "
        f"{found.series} series. Errors without a pattern stay within ±{found.by_chance:.3f}.",
        ["", "autocorrelation"],
        rows,
    )
    yield report.Paragraph(
        f"The test of Ljung and Box with {found.lags} lags calls the errors of {found.rejected} of "
        f"{found.series} series patterned, at 5 %: by chance alone it would be one in twenty."
    )


def examples(folder: Path, asked: Asked) -> Iterator[report.Block]:
    """Yields ten forecasts from the best to the worst, by their error in units of the series."""
    test, panel = asked.test, asked.panel
    with np.errstate(all="ignore"):
        error = np.nanmean(np.abs(test.truth - asked.median), axis=(1, 2))
        error = error / np.nan_to_num(np.nanmean(test.scales, axis=1), nan=1.0)[test.series]
    order = np.argsort(error)[: np.isfinite(error).sum()]
    chosen = order[np.unique(np.linspace(0, len(order) - 1, 10).astype(int))]
    horizon = test.truth.shape[1]
    history = panels.windows(panel, [test.rows[at] for at in chosen], 3 * horizon, 0)["values"]
    for place, row in enumerate(chosen):
        at, origin = test.rows[row]
        shown = forecast_plots.Shown(
            history[place, :, 0], asked.quantiles[row, :, 0], test.truth[row, :, 0],
            panel.target_names[0],
        )  # fmt: skip
        rank = f"{place + 1} of {len(chosen)} from best to worst"
        title = f"{panel.series[at].name} from step {origin:,}: {rank}"
        yield plots.save(
            folder,
            f"forecast_{place}",
            title,
            f"{3 * horizon} steps of history, then {horizon} steps of forecast as a median with "
            f"its bands, and the truth; mean absolute error {error[row]:.3g} in units of the "
            "series.",
            functools.partial(forecast_plots.draw, shown=shown, levels=asked.levels),
        )
