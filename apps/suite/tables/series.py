"""Series of steps, and collections of series."""

from dataclasses import dataclass

import numpy as np

from apps.suite import errors

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Series:
    """One series of evenly spaced steps, in three parts that follow each other.

    The arrays may be memory-mapped files: read them in blocks, and don't write to them.

    Attributes:
        name: path in its folder without suffix, with /.
        times: float64 [time], seconds since 1970 UTC (exact to a microsecond) where `dated`; else
            0, 1, 2, …
        dated: true if there were times.
        step_seconds: from a step to the next; 1.0 without times. With
            `resample=False` the median, and the times say how far apart steps really are.
        values: float32 [time, features], the columns that are scored before those that are only
            read; 0 where not observed.
        observed: bool [time, features].
        labels: bool [time], true in an anomaly; None where nothing is known.
        train_end, validation_end: the parts are [0, train_end), [train_end, validation_end) and
            [validation_end, time).
    """

    name: str
    times: np.ndarray
    dated: bool
    step_seconds: float
    values: np.ndarray
    observed: np.ndarray
    labels: np.ndarray | None
    train_end: int
    validation_end: int

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Collection:
    """Series with the same columns, and their origin.

    Attributes:
        fingerprint: SHA-256 of the data.
        split: a sentence on the division into three parts.
        feature_names: of all columns, in the order of `Series.values`.
        scored_count: number of columns that are scored, the first ones; the others are only read.
        notes: sentences on changes that reading made to the data, for the user.
        understood: lines on how the data were read: columns, times, parts, files.
    """

    name: str
    licence: str
    source: str
    fingerprint: str
    split: str
    feature_names: tuple[str, ...]
    scored_count: int
    series: tuple[Series, ...]
    notes: tuple[str, ...] = ()
    understood: tuple[str, ...] = ()


def check_parts(collection: Collection, least_steps: tuple[int, int, int], advice: str) -> None:
    """Checks that the parts of every series are long enough.

    Args:
        collection: of series.
        least_steps: of the train, the validation and the test part.
        advice: ends the message, such as "give more rows".

    Raises:
        UserError: a part that is too short, named by its series.
    """
    for one in collection.series:
        lengths = (one.train_end, one.validation_end - one.train_end, len(one) - one.validation_end)
        for part, length, least in zip(PARTS, lengths, least_steps, strict=True):
            if length < least:
                raise errors.UserError(
                    f"{collection.source}: {one.name}: {len(one):,} steps leave {length} for the "
                    f"{part} part, which needs {least}; {advice}"
                )
