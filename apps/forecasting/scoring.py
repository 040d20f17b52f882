"""Asks a model for forecasts at any origins of any series: a backtest and a forecast alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.forecasting import panel as panels
from apps.suite.export import asking

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
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        answer = model.ask(**request(model, panel, part, horizon))
        for name, arrays in found.items():
            arrays.append(answer[name])
    return Forecasts(*(np.concatenate(arrays) for arrays in found.values()))


def request(
    model: asking.Model, panel: panels.Panel, rows: Sequence[tuple[int, int]], horizon: int
) -> dict[str, Any]:
    """Returns the inputs of `serving_default` that the model has, for some windows."""
    cut = panels.windows(panel, rows, int(model.setting("context_steps")), horizon)
    named = [panel.series[at] for at, _ in rows]
    inputs = {
        "values": cut["values"],
        "past": cut["past"],
        "known": cut["known"],
        "times": np.rint(cut["times"]).astype(np.int64),
        "series": np.array([one.name.encode() for one in named], object),
        "static": np.array([[text.encode() for text in one.static] for one in named], object),
        "horizon": np.int32(horizon),
    }
    wanted = model.inputs["serving_default"]
    return {name: array for name, array in inputs.items() if name in wanted}
