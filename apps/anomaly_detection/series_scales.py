"""Brings series of different levels to one scale, and their scores to one level.

Pumps of one kind run at different pressures: a network learns what they share if each is scaled by
its own train part,

    v' = (v - mean of the series) / deviation of the series · D + M,

with mean M and deviation D of all series together, which the network's scaler takes away again. The
scores of a series are divided by its level: the height that one in a hundred of its validation
scores is above, compared with the other series. So one threshold fits them all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from apps.suite.tables import large_arrays, scaling, series

Kept = TypeVar("Kept")
_QUANTILE = 0.99
_LEAST_SCORES = 20  # of a validation part, for a level of its own


class Scale(NamedTuple):
    """Mean and deviation of each column in a series' train part, and the level of its scores."""

    mean: list[float]
    deviation: list[float]
    level: float = 1.0


def of_training(collection: series.Collection, common: scaling.Statistics) -> dict[str, Scale]:
    """Returns the scales of the series, by name; none of a single one, which the scaler knows.

    A column that is constant in a series has the common deviation.
    """
    if len(collection.series) < 2:
        return {}
    return {one.name: _own(one, common.deviation) for one in collection.series}


def _own(one: series.Series, common_deviation: np.ndarray) -> Scale:
    found = scaling.statistics_of_training([one])
    varies = (found.counts > 0) & (found.least < found.greatest)
    deviation = np.where(varies, found.deviation, common_deviation)
    return Scale(found.mean.tolist(), deviation.tolist())


def of_name(scales: Mapping[str, Kept], name: str) -> Kept | None:
    """Returns what is kept of a series of the training: by its path, or its last part alone."""
    if name in scales:
        return scales[name]
    last = [each for each in scales if each.rpartition("/")[2] == name.rpartition("/")[2]]
    return scales[last[0]] if len(last) == 1 else None


def brought(
    one: series.Series,
    scales: Mapping[str, Scale],
    common_mean: np.ndarray,
    common_deviation: np.ndarray,
) -> tuple[series.Series, float]:
    """Returns a series on the common scale, and the level of its scores.

    A series that was not in the training is scaled by all of its own rows.
    """
    if not scales:
        return one, 1.0
    scale = of_name(scales, one.name)
    if scale is None:
        scale = _own(dataclasses.replace(one, train_end=len(one)), common_deviation)
    values = large_arrays.writable_copy(one.values)
    for block in large_arrays.blocks(*values.shape):
        found = moved(values[block], scale, common_mean, common_deviation)
        values[block] = np.where(one.observed[block], found, 0)
    return dataclasses.replace(one, values=values), scale.level


def moved(
    values: np.ndarray, scale: Scale, common_mean: np.ndarray, common_deviation: np.ndarray
) -> np.ndarray:
    """Returns values [..., features] of a series on the common scale."""
    factor = np.asarray(common_deviation) / np.array(scale.deviation)
    return (values - np.array(scale.mean)) * factor + common_mean


def brought_together(
    collection: series.Collection, scales: Mapping[str, Scale], common: scaling.Statistics
) -> series.Collection:
    """Returns all series of a collection on the common scale."""
    if not scales:
        return collection
    made = (brought(one, scales, common.mean, common.deviation)[0] for one in collection.series)
    return dataclasses.replace(collection, series=tuple(made))


def levels(validation_scores: Sequence[np.ndarray]) -> list[float]:
    """Returns the level of each series' scores, relative to the median of the series.

    Args:
        validation_scores: float [steps] of each, without steps that have no score. With fewer than
            twenty the level is 1.
    """
    heights = [
        float(np.quantile(each, _QUANTILE)) if len(each) >= _LEAST_SCORES else 0.0
        for each in validation_scores
    ]
    usual = float(np.median([each for each in heights if each > 0] or [1.0]))
    return [each / usual if each > 0 else 1.0 for each in heights]
