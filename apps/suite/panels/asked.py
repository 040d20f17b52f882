"""Asks a model for forecasts at any origins of any series: a backtest and a forecast alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.export import asking
from apps.suite.panels import histories
from apps.suite.panels import panel as panels

_ROWS = 128  # windows that are asked for at a time


class Forecasts(NamedTuple):
    """Forecasts of some windows.

    Attributes:
        mean: float32 [rows, horizon, targets].
        quantiles: float32 [rows, horizon, targets, levels].
        unseen: bool [rows], series that training has not seen.
    """

    mean: np.ndarray
    quantiles: np.ndarray
    unseen: np.ndarray


def forecast(
    model: asking.Model,
    panel: panels.Panel,
    rows: Sequence[tuple[int, int]],
    horizon: int,
) -> Forecasts:
    """Returns the forecasts of (place of the series, origin), each from what was known before it.

    `evaluate` calls it with the origins of the past, `predict` with the end of each series.
    """
    found: dict[str, list[np.ndarray]] = {"mean": [], "quantiles": [], "unseen": []}
    context, wanted = int(model.setting("context_steps")), model.inputs["serving_default"]
    most = _ROWS
    trained = int(model.setting("horizon_steps"))
    if horizon > trained:  # each row is then as many as it has paths
        limits = model.setting("limits")
        each = max(model.setting("path_count") * (context + trained), limits["least_path_steps"])
        each *= -(-horizon // trained) * len(panel.target_names)
        most = max(1, min(_ROWS, limits["paths_times_steps"] // each))
    for start in range(0, len(rows), most):
        part = rows[start : start + most]
        answer = model.ask(**histories.request(panel, part, context, horizon, wanted))
        for name, arrays in found.items():
            arrays.append(answer[name])
    return Forecasts(*(np.concatenate(arrays) for arrays in found.values()))


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


def refuse_levels(model: asking.Model, levels: Sequence[float]) -> None:
    """Raises UserError for levels, rising, outside of those that were learned."""
    learned = model.setting("levels")
    if levels[0] < learned[0] or levels[-1] > learned[-1]:
        raise errors.UserError(
            f"--quantiles: the model has learned {learned[0]:g} to {learned[-1]:g}; give levels "
            "between them, or train with others in --forecast.levels"
        )


def each(
    model: asking.Model,
    panel: panels.Panel,
    rows: Sequence[tuple[int, int]],
    horizon: int,
    levels: Sequence[float],
) -> Iterator[Forecast]:
    """Yields the forecast of each target of each (place of the series, origin), at other levels."""
    learned, told = model.setting("levels"), tuple(levels)
    found = forecast(model, panel, rows, horizon)
    windows = panels.windows(panel, rows, 3 * horizon, horizon)
    longer = panels.forward(panel, horizon)
    for row, (at, origin) in enumerate(rows):
        one = longer.series[at]
        for column, target in enumerate(panel.target_names):
            quantiles = found.quantiles[row, :, column]
            yield Forecast(
                one.name,
                target,
                one.times[origin : origin + horizon],
                told,
                found.mean[row, :, column],
                np.stack([np.interp(told, learned, step) for step in quantiles]),
                windows["values"][row, :, column],
                windows["truth"][row, :, column],
                bool(found.unseen[row]),
            )


def as_json(found: Forecast) -> str:
    """Returns a forecast as a JSON object on one line."""
    steps = [
        {"time": moment, "mean": float(mean)}
        | {f"{level:g}": float(value) for level, value in zip(found.levels, row, strict=True)}
        for moment, mean, row in zip(_moments(found), found.mean, found.quantiles, strict=True)
    ]
    one = {"series": found.series, "target": found.target, "unseen": found.unseen, "steps": steps}
    return json.dumps(one, ensure_ascii=False)


def as_table(found: Forecast) -> str:
    """Returns a forecast as a table: a row for each step, a column for each quantile."""
    note = "; training has not seen it, it is forecast as series usually are"
    moments = _moments(found)
    width = max(map(len, moments))
    lines = [f"{found.series}, {found.target}{note if found.unseen else ''}"]
    lines.append(" ".join([" " * width, *(f"{level:>10g}" for level in found.levels)]))
    for moment, row in zip(moments, found.quantiles, strict=True):
        lines.append(" ".join([moment.ljust(width), *(f"{value:>10.6g}" for value in row)]))
    return "\n".join(lines)


def _moments(found: Forecast) -> list[str]:
    """Returns the times of the steps as text."""
    if abs(found.times[0]) < 1e7:  # numbers of steps
        return [f"{time:g}" for time in found.times]
    moments = found.times.astype(np.int64).astype("datetime64[s]")
    return [str(each) for each in np.datetime_as_string(moments, timezone="UTC")]
