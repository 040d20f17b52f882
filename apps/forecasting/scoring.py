"""Asks a model for forecasts at any origins of any series: a backtest and a forecast alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from apps.forecasting import data, trained_model
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


def open_loop(
    trained: trained_model.TrainedModel, panel: panels.Panel, rows: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Returns medians of one step ahead, float32 [rows, horizon, targets], of a model of steps.

    Each step of the horizon is forecast with the truth of the steps before it fed back.
    """
    targets, config = len(panel.target_names), trained.config
    horizon, middle = config.forecast.horizon_steps, config.forecast.levels.index(0.5)
    asked = [(*row, column) for row in rows for column in range(targets)]
    found = []
    for start in range(0, len(asked), _ROWS):
        part = asked[start : start + _ROWS]
        (steps, series), _, window = data.examples(panel, trained.layout, config, part)
        zeros = [tf.zeros((len(part), each.shape[-1])) for each in trained.network.inputs[2:]]
        said, *_ = trained.network([steps, series, *zeros], training=False)
        z = said[:, -horizon:, 1 + middle]
        found.append((window["location"][:, None] + window["spread"][:, None] * z).numpy())
    whole = np.concatenate(found).reshape(len(rows), targets, horizon)
    return np.asarray(whole.transpose(0, 2, 1))
