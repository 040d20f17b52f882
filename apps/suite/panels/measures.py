"""Measures of forecasts, each with its definition.

With y the truth, f a point forecast (the median), q the quantile at level a, over all targets that
are not missing:

    mae       mean |y - f|                      rmse      root of the mean (y - f)², f the mean
    wape      100 Σ |y - f| / Σ |y|
    smape     mean of 200 |y - f| / (|y| + |f|), 0 where both are 0; of each series, then the mean
    mase      mean |y - f| / s of each series, then the mean over series; s = mean |y_t - y_{t-m}|
              over all steps before the test part, m the season or 1
    scaled_mae, scaled_mse    mae, and mean (y - f)² of the mean, in deviations (variances) of the
              train part of each series, as papers on ETT have them
    weighted_quantile_loss    2 Σ max(a (y - q), (a - 1) (y - q)) / Σ |y|, the mean over the levels
    coverage_80               share of y between the quantiles 0.1 and 0.9; 50 and 90 likewise
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from apps.suite.evaluation import intervals
from apps.suite.networks import quantiles as quantile_losses
from apps.suite.panels import panel as panels

COVERAGES = (0.5, 0.8, 0.9)


class Test(NamedTuple):
    """The windows of a test.

    Attributes:
        rows: (place of the series, origin) of each window.
        truth: float32 [rows, horizon, targets], NaN where missing.
        scales: float64 [series, targets], s of the MASE; NaN of a constant series.
        deviations: float64 [series, targets], of the train part; NaN of a constant series.
    """

    rows: list[tuple[int, int]]
    truth: np.ndarray
    scales: np.ndarray
    deviations: np.ndarray

    @property
    def series(self) -> np.ndarray:
        """Returns the place of the series of each row."""
        return np.array([at for at, _ in self.rows], np.int64)


def test_of(panel: panels.Panel, horizon: int, every: int, season: int) -> Test:
    """Returns all windows of the test parts, and the scales of their series."""
    rows = [
        (at, int(origin))
        for at, one in enumerate(panel.series)
        for origin in panels.origins(one, "test", horizon, every)
    ]
    scales = np.stack([_scale(one.target[: one.validation_end], season) for one in panel.series])
    deviations = np.stack([_deviation(one.target[: one.train_end]) for one in panel.series])
    return Test(rows, panels.windows(panel, rows, 1, horizon)["truth"], scales, deviations)


def _deviation(part: np.ndarray) -> np.ndarray:
    known = np.isfinite(part)
    counts = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, part, 0).sum(axis=0, dtype=np.float64) / counts
    square = (np.where(known, part - mean, 0) ** 2).sum(axis=0) / counts
    return np.where(square > 0, np.sqrt(square), np.nan)


def _scale(history: np.ndarray, season: int) -> np.ndarray:
    lag = season if 1 < season < len(history) else 1
    apart = np.abs(history[lag:].astype(np.float64) - history[:-lag])
    known = np.isfinite(apart)
    mean = np.where(known, apart, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(mean > 0, mean, np.nan)


def points(test: Test, median: np.ndarray, mean: np.ndarray | None = None) -> dict[str, float]:
    """Returns the measures of point forecasts, float [rows, horizon, targets]."""
    error = np.abs(test.truth - median).astype(np.float64)
    known = np.isfinite(test.truth)
    size = np.abs(test.truth) + np.abs(median)
    share = np.where(size > 0, 200 * error / np.where(size > 0, size, 1), 0.0)
    square = (test.truth - (median if mean is None else mean)) ** 2
    mase = by_series(test, error) / test.scales
    unit = test.deviations[test.series][:, None]
    scaled = {}
    if np.isfinite(test.deviations).any():
        scaled["scaled_mae"] = np.nanmean(error / unit)
        scaled["scaled_mse"] = np.nanmean(square / unit**2)
    return {
        "mae": float(error[known].mean()),
        "rmse": float(np.sqrt(square[known].mean(dtype=np.float64))),
        # Undefined where all series are constant
        **({"mase": float(np.nanmean(mase))} if np.isfinite(mase).any() else {}),
        **{name: float(value) for name, value in scaled.items()},
        "smape": float(np.nanmean(by_series(test, np.where(known, share, np.nan)))),
        "wape": float(100 * error[known].sum() / max(np.abs(test.truth[known]).sum(), 1e-12)),
    }


def by_series(test: Test, values: np.ndarray) -> np.ndarray:
    """Returns means of values [rows, horizon, targets] by series, float64 [series, targets]."""
    count = len(test.scales)
    found = np.full(test.scales.shape, np.nan)
    for column, here in enumerate(np.moveaxis(values, 2, 0)):
        known = np.isfinite(here)
        sums = intervals.sums_by_unit(np.where(known, here, 0).sum(axis=1), test.series, count)
        counts = intervals.sums_by_unit(known.sum(axis=1), test.series, count)
        found[:, column] = np.divide(sums, counts, out=found[:, column], where=counts > 0)
    return found


def bands(test: Test, found: np.ndarray, levels: Sequence[float]) -> dict[str, float]:
    """Returns the measures of quantiles, float [rows, horizon, targets, levels]."""
    known = np.isfinite(test.truth)
    truth, at = test.truth[known].astype(np.float64), found[known].astype(np.float64)
    loss = 2 * quantile_losses.pinball(truth, at, levels) * len(truth)
    measured = {"weighted_quantile_loss": loss / max(float(np.abs(truth).sum()), 1e-12)}
    for wanted in COVERAGES:
        ends = intervals.ends_of(levels, wanted)
        if ends:
            name = f"coverage_{round(100 * wanted)}"
            measured[name] = intervals.coverage(at[:, ends[0]], at[:, ends[1]], truth)
    return measured


def better_series(test: Test, median: np.ndarray, naive: np.ndarray) -> tuple[int, int]:
    """Returns how many series the model forecasts with a smaller mean error, and their number."""
    ours, theirs = (by_series(test, np.abs(test.truth - each)) for each in (median, naive))
    known = np.isfinite(ours)
    return int((ours[known] < theirs[known]).sum()), int(known.sum())
