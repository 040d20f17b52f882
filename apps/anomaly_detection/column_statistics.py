"""Mean and deviation of each column over the train parts, in one pass of bounded memory."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from apps import errors
from apps.anomaly_detection import growing_arrays, series


class Statistics(NamedTuple):
    """Of each column's observed values in the train parts, [features] each."""

    counts: np.ndarray  # int64
    mean: np.ndarray  # float32
    deviation: np.ndarray  # float32, above 0: 1 for a constant column
    least: np.ndarray  # float32
    greatest: np.ndarray  # float32


def of_training(many: Sequence[series.Series]) -> Statistics:
    """Statistics of the series' train parts together; a column without a value has mean 0.

    Means and squares are joined block by block (Chan, Golub and LeVeque 1983), in float64.
    """
    width = many[0].values.shape[1]
    counts = np.zeros(width, np.int64)
    means, squares = np.zeros(width), np.zeros(width)
    least, greatest = np.full(width, np.inf), np.full(width, -np.inf)
    for one in many:
        for block in growing_arrays.blocks(one.train_end, width):
            observed = np.asarray(one.observed[block])
            values = one.values[block].astype(np.float64)
            added = observed.sum(axis=0)
            mean = np.where(observed, values, 0).sum(axis=0) / np.maximum(added, 1)
            square = np.where(observed, (values - mean) ** 2, 0).sum(axis=0)
            total = np.maximum(counts + added, 1)
            change = mean - means
            squares += square + change**2 * counts * added / total
            means += change * added / total
            counts += added
            least = np.minimum(least, np.where(observed, values, np.inf).min(axis=0))
            greatest = np.maximum(greatest, np.where(observed, values, -np.inf).max(axis=0))
    deviation = np.sqrt(squares / np.maximum(counts, 1))
    known = counts > 0
    return Statistics(
        counts=counts,
        mean=np.where(known, means, 0).astype(np.float32),
        deviation=np.where(known & (least < greatest), deviation, 1).astype(np.float32),
        least=np.where(known, least, 0).astype(np.float32),
        greatest=np.where(known, greatest, 0).astype(np.float32),
    )


def check(collection: series.Collection, keep_constant: bool) -> Statistics:
    """The statistics, once all columns can be learned from.

    Raises:
        UserError: a column without a value in the train parts, or with only one unless
            `keep_constant`.
    """
    found = of_training(collection.series)
    for at, name in enumerate(collection.feature_names):
        if not found.counts[at]:
            raise errors.UserError(
                f"{collection.source}: column {name} has no value in the train part; "
                f"leave it out with --data_format.ignored_columns {name}"
            )
        if found.least[at] == found.greatest[at] and not keep_constant:
            raise errors.UserError(
                f"{collection.source}: column {name} is {found.least[at]:g} in the whole train "
                f"part; leave it out with --data_format.ignored_columns {name}, or keep it with "
                "--data_format.constant_columns keep"
            )
    return found
