"""Asks a model for forecasts at any origins of any series: a backtest and a forecast alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from apps.forecasting import data, trained_model
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
        said = (window["location"][:, None] + window["spread"][:, None] * z).numpy()
        found.append(np.exp(said) if config.model.log else said)
    whole = np.concatenate(found).reshape(len(rows), targets, horizon)
    return np.asarray(whole.transpose(0, 2, 1))
