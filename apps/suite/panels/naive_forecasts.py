"""Forecasts by what needs no training: the last value, the seasons before, Theta."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from apps.suite.panels import panel as panels

LAST, SEASONAL = "last value", "seasonal naive"  # their names
_THETA_STEPS = 8  # seasons of the history that Theta reads


def filled(values: np.ndarray) -> np.ndarray:
    """Returns histories [rows, time, targets] where a missing value holds the last one.

    Before the first value of a history stands that value, and 0 where there is none.
    """
    known = np.isfinite(values)
    time = np.arange(values.shape[1])[None, :, None]
    first = np.where(known.any(axis=1), known.argmax(axis=1), 0)[:, None]
    last = np.maximum.accumulate(np.where(known, time, -1), axis=1)
    return np.nan_to_num(np.take_along_axis(values, np.maximum(last, first), axis=1))


def last_value(values: np.ndarray, horizon: int) -> np.ndarray:
    """Returns the last value for all steps ahead."""
    return np.repeat(values[:, -1:], horizon, axis=1)


def mean_of_seasons(values: np.ndarray, horizon: int, season: int, count: int) -> np.ndarray:
    """Returns the mean of what was 1 … count seasons before each step."""
    ahead = np.arange(horizon)
    first = ahead // season + 1
    places = values.shape[1] + ahead[:, None] - season * (first[:, None] + np.arange(count))
    return values[:, np.maximum(places, 0)].mean(axis=2)


def theta(
    panel: panels.Panel, rows: Sequence[tuple[int, int]], horizon: int, season: int
) -> np.ndarray:
    """Returns forecasts of the Theta method (Assimakopoulos and Nikolopoulos 2000), statsmodels'.

    A series without two whole seasons, with values of 0 or below, or without a significant season
    is forecast without one; a constant one keeps its value.
    """
    from statsmodels.tsa.forecasting import theta as thetas

    most = max(3 * horizon, _THETA_STEPS * season, 200)
    found = np.zeros((len(rows), horizon, len(panel.target_names)), np.float32)
    for row, (at, origin) in enumerate(rows):
        history = panel.series[at].target[max(0, origin - most) : origin]
        for column, values in enumerate(filled(history[None])[0].T.astype(np.float64)):
            if len(values) < 4 or np.ptp(values) == 0:
                found[row, :, column] = values[-1] if len(values) else 0.0
                continue
            period = season if season > 1 and 2 * season <= len(values) else 1
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = thetas.ThetaModel(
                    values, period=period, deseasonalize=period > 1,
                    method="auto" if values.min() > 0 else "additive",
                )  # fmt: skip
                found[row, :, column] = np.asarray(model.fit(disp=False).forecast(horizon))
    return found
