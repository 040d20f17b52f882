"""Measures values with intervals: RMSE, MAE, R², coverage, and the interval of the RMSE."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from apps.suite.evaluation import intervals


class Answers(NamedTuple):
    """Values with both ends of their intervals; float [cases, targets] each."""

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


class Course(NamedTuple):
    """Answers along one sequence, [steps, targets] each; the truth is NaN where nobody knows it."""

    name: str
    answers: Answers
    truth: np.ndarray


def errors_of(values: np.ndarray, truths: np.ndarray) -> dict[str, float]:
    """Returns RMSE, MAE and R² over the known truths, [cases, targets] both.

    Several targets are pooled for RMSE and MAE; R² is the mean over the targets.
    """
    known = np.isfinite(truths)
    apart = np.where(known, values - np.where(known, truths, 0.0), 0.0)
    count = known.sum()
    mean = np.nanmean(truths, axis=0)
    spread = np.nansum((truths - mean) ** 2, axis=0)
    r2 = 1 - (apart**2).sum(axis=0) / np.maximum(spread, 1e-12)
    return {
        "rmse": float(np.sqrt((apart**2).sum() / count)),
        "mae": float(np.abs(apart).sum() / count),
        "r2": float(r2.mean()),
    }


def of_intervals(found: Answers, truths: np.ndarray) -> dict[str, float]:
    """Returns the share of the truths that the intervals cover, and their mean width."""
    return {
        "coverage": intervals.coverage(found.lower, found.upper, truths),
        "interval_width": float(np.mean(found.upper - found.lower)),
    }


def rmse_interval(
    values: np.ndarray, truths: np.ndarray, units: np.ndarray, seed: int
) -> intervals.Interval:
    """Returns the 95 % interval of the RMSE over draws of units.

    Args:
        values, truths: [cases, targets].
        units: number of the unit of each case, such as a person or a machine, int [cases].
        seed: of the draws.
    """
    count = int(units.max()) + 1
    known = np.isfinite(truths)
    squares = np.where(known, (values - np.where(known, truths, 0.0)) ** 2, 0.0).sum(axis=1)
    sums = intervals.sums_by_unit(squares, units, count)
    counts = intervals.sums_by_unit(known.sum(axis=1), units, count)
    return intervals.bootstrap(
        lambda chosen: float(np.sqrt(sums[chosen].sum() / max(counts[chosen].sum(), 1))),
        count,
        seed,
    )
