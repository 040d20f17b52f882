"""Looks for what the errors of one step ahead still tell: their autocorrelation.

Errors e_t of consecutive steps in the test part, which of a good forecast have no pattern:

    r_k = Σ (e_t - ē)(e_{t-k} - ē) / Σ (e_t - ē)²          about ±1.96 / √n by chance alone
    Q   = n (n + 2) Σ_k r_k² / (n - k)                     Ljung and Box (1978), χ² of as many lags
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_LEAST_STEPS = 12  # of a series that says something
_LAGS = 10  # of the test, or a fifth of the steps
_SURE = 0.05


class Residuals(NamedTuple):
    """Findings on the errors one step ahead, of the first target.

    Attributes:
        autocorrelation: by lag, the mean over the series.
        by_chance: what white errors stay below in 95 of 100 cases.
        rejected: series whose errors are not white by the test of Ljung and Box.
        series: looked at.
        lags: of the test.
    """

    autocorrelation: dict[int, float]
    by_chance: float
    rejected: int
    series: int
    lags: int


def look(residuals: Sequence[np.ndarray], season: int) -> Residuals | None:
    """Returns findings on errors [steps] of each series; None where all series are too short."""
    from statsmodels.tsa import stattools

    looked_at = [
        each for each in residuals
        if np.isfinite(each).sum() >= _LEAST_STEPS and np.nanstd(each) > 0
    ]  # fmt: skip
    if not looked_at:
        return None
    shortest = min(map(len, looked_at))
    count = min(_LAGS, shortest // 5)
    lags = [1, 2, 3, *([season] if 3 < season <= shortest // 3 else [])]
    by_series, rejected = [], 0
    for each in looked_at:
        known = int(np.isfinite(each).sum())
        values = stattools.acf(each, nlags=max(count, *lags), missing="conservative", fft=False)
        by_series.append(values)
        _, chances = stattools.q_stat(values[1 : count + 1], known)
        rejected += bool(chances[-1] < _SURE)
    mean = np.mean(by_series, axis=0)
    sizes = [np.isfinite(each).sum() for each in looked_at]
    return Residuals(
        {lag: float(mean[lag]) for lag in lags},
        float(1.96 / np.sqrt(np.sum(sizes))),
        rejected,
        len(looked_at),
        count,
    )
