"""Faults made into data without labels, so that there is something to find and to count."""

import dataclasses

import numpy as np

from apps import dataset_builders
from apps.anomaly_detection import growing_arrays, seasons, series

_STEPS_WITHOUT_SEASON = 48


def injected(
    collection: series.Collection, deviations: np.ndarray, count: int, seed: int
) -> series.Collection:
    """The collection with `count` faults in the test part of each series that has no labels.

    They are of the kinds of `half_hourly_demand` (see its README), as long as its are in days, with
    the season that is found in the first scored column's train part for the day; in scored columns
    only, and in no more of them than there is room for.

    Args:
        deviations: of each column, float [features].
        seed: decides where the faults are.
    """
    make = dataset_builders.prepare("half_hourly_demand").inject
    made = []
    total = 0
    for at, one in enumerate(collection.series):
        if one.labels is not None:
            made.append(one)
            continue
        train = slice(0, one.train_end)
        season = seasons.find(one.values[train, 0], one.observed[train, 0])
        labels = np.zeros(len(one), np.bool_)
        values = growing_arrays.writable_copy(one.values)
        faults = make(
            values[one.validation_end :, : collection.scored_count],
            deviations,
            max(4, season or _STEPS_WITHOUT_SEASON),
            count,
            seed + at,
        )
        for fault in faults:
            where = slice(one.validation_end + fault.start, one.validation_end + fault.end)
            labels[where] = True
            values[where][~one.observed[where]] = 0  # what is missing stays missing
        total += len(faults)
        made.append(dataclasses.replace(one, values=values, labels=labels))
    note = f"{total} faults were made into test parts without labels; measures count these alone"
    return dataclasses.replace(
        collection, series=tuple(made), notes=(*collection.notes, *([note] if total else []))
    )
