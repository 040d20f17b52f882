"""Intervals of predictions that keep their promise, and intervals of measures.

A model's quantiles are made honest on data that it has not learned from: conformalised quantile
regression (Romano, Patterson and Candès 2019). Of n such cases with truth y and interval [l, u],

    e_i   = max(l_i - y_i, y_i - u_i)          negative inside of the interval
    d     = the ⌈(n + 1) c⌉-th smallest e      ∞ where that is more than n

and [l - d, u + d] covers the truth of a new case with a probability of at least c, if new cases
come from where these came from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """Both ends."""

    low: float
    high: float


def conformal_offset(
    lower: np.ndarray, upper: np.ndarray, truth: np.ndarray, coverage: float
) -> float:
    """Returns d, by which both ends move outwards; below 0 where the intervals were too wide.

    Args:
        lower, upper: ends of the intervals, [n].
        truth: [n]; cases whose truth is not known (NaN) do not count.
        coverage: c, between 0 and 1.

    Raises:
        ValueError: no case, or fewer than the coverage needs: c / (1 - c).
    """
    known = np.isfinite(truth)
    scores = np.sort(np.maximum(lower[known] - truth[known], truth[known] - upper[known]))
    place = math.ceil((len(scores) + 1) * coverage - 1e-9)
    if place > len(scores) or not len(scores):
        raise ValueError(
            f"{len(scores)} cases are too few for intervals that cover {coverage:g}; at least "
            f"{math.ceil(coverage / (1 - coverage) - 1e-9)} are needed"
        )
    return float(scores[place - 1])


def coverage(lower: np.ndarray, upper: np.ndarray, truth: np.ndarray) -> float:
    """Returns the share of the known truths that lie inside, ends included."""
    known = np.isfinite(truth)
    inside = (lower[known] <= truth[known]) & (truth[known] <= upper[known])
    return float(inside.mean()) if len(inside) else math.nan


def bootstrap(
    measure: Callable[[np.ndarray], float],
    units: int,
    seed: int,
    *,
    draws: int = 1_000,
    confidence: float = 0.95,
) -> Interval:
    """Returns the percentile interval of a measure over draws of units with replacement.

    A unit is what is independent of the others, such as a machine or a person: its steps come
    along together (Efron 1979).

    Args:
        measure: of the units at indices int64 [units], some of them several times.
        units: how many there are, at least 1.
        seed: of the draws.
        draws: how many.
        confidence: share of the draws inside of the interval.
    """
    draw = np.random.default_rng(seed)
    values = [measure(draw.integers(units, size=units)) for _ in range(draws)]
    tail = 100 * (1 - confidence) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return Interval(float(low), float(high))


def sums_by_unit(values: np.ndarray, units: Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    """Returns the sum of the values of each unit, float64 [count].

    Args:
        values: [n].
        units: number of the unit of each value, int [n].
        count: of the units.
    """
    return np.bincount(np.asarray(units, np.int64), weights=values, minlength=count)


def pairs(levels: Sequence[float]) -> list[tuple[int, int, float]]:
    """Returns the places of both ends of each interval, outermost first, and its coverage."""
    last = len(levels) - 1
    return [(low, last - low, levels[last - low] - levels[low]) for low in range(len(levels) // 2)]


def moves(
    quantiles: np.ndarray, truth: np.ndarray, levels: Sequence[float]
) -> tuple[np.ndarray, str]:
    """Returns moves of quantiles after which each interval covers its share, and words on it.

    The outermost two levels move apart by `conformal_offset`, and so on inwards; the median stays.

    Args:
        quantiles: [n, levels].
        truth: [n], NaN where it is not known.
        levels: rising, with as many below as above 0.5.

    Returns:
        float32 [levels], and the share of the truths that each interval had covered before.

    Raises:
        ValueError: too few cases.
    """
    found, said = np.zeros(len(levels), np.float32), []
    for low, high, wanted in pairs(levels):
        ends = quantiles[:, low], quantiles[:, high], truth
        offset = conformal_offset(*ends, wanted)
        found[low], found[high] = -offset, offset
        said.append(f"{wanted:.0%} covered {coverage(*ends):.1%}")
    return found, ", ".join(said)


def stretches(
    quantiles: np.ndarray, truth: np.ndarray, levels: Sequence[float]
) -> tuple[np.ndarray, str]:
    """Returns the same as factors on the distance from the median, for quantiles that fan out."""
    median = quantiles[:, int(np.argmin(np.abs(np.array(levels) - 0.5)))]
    found, said = np.ones(len(levels), np.float32), []
    for low, high, wanted in pairs(levels):
        side = np.where(truth > median, quantiles[:, high], quantiles[:, low]) - median
        apart = (truth - median) / np.maximum(np.abs(side), 1e-12)
        ends = np.full(len(apart), -1.0), np.full(len(apart), 1.0), apart
        found[[low, high]] = 1 + conformal_offset(*ends, wanted)
        said.append(f"{wanted:.0%} covered {coverage(*ends):.1%}")
    return found, ", ".join(said)


def ends_of(levels: Sequence[float], covered: float) -> tuple[int, int] | None:
    """Returns the places of the two levels around the middle that cover so much, or None."""
    low, high = round((1 - covered) / 2, 6), round((1 + covered) / 2, 6)
    rounded = [round(level, 6) for level in levels]
    return (rounded.index(low), rounded.index(high)) if {low, high} <= set(rounded) else None
