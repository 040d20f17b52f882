"""Train, validation and test: by the clock for all at once, or by each history's last events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps import errors
from apps.recommendation import config as configs
from apps.recommendation.interactions import Interactions

TRAIN, VALIDATION, TEST = range(3)


@dataclass(frozen=True)
class Split:
    """Which part each event belongs to: int8 [events]; and a sentence that says how."""

    parts: np.ndarray
    sentence: str


def divide(log: Interactions, settings: configs.SplitConfig, source: str) -> Split:
    """Divides the events as `settings.kind` says; UserError where a part would be empty."""
    if settings.kind == "leave_last_out":
        return _leave_last_out(log, source)
    return _global_time(log, settings, source)


def _global_time(log: Interactions, settings: configs.SplitConfig, source: str) -> Split:
    """Two borders in time; what happens at a border is behind it, so that no moment is divided."""
    if not log.timed:
        raise errors.UserError(
            f"{source}: has no times, and split.kind global_time needs them; "
            "use --split.kind leave_last_out"
        )
    times, count = np.sort(log.times), len(log.times)
    test = int(count * (1 - settings.test_fraction))
    validation = int(count * (1 - settings.test_fraction - settings.validation_fraction))
    test, validation = min(test, count - 1), min(validation, count - 1)
    borders = times[validation], times[test]
    if not times[0] < borders[0] < borders[1]:
        raise errors.UserError(
            f"{source}: the times are too few and alike to divide: train would be before "
            f"{moment(borders[0])}, validation before {moment(borders[1])}, the log begins "
            f"{moment(times[0])}; use --split.kind leave_last_out, or other fractions"
        )
    parts = (log.times >= borders[0]).astype(np.int8) + (log.times >= borders[1])
    return Split(
        parts,
        f"by time, for all users at once: train before {moment(borders[0])}, validation before "
        f"{moment(borders[1])}, test from then on; a query knows all that the history holds "
        "before it",
    )


def _leave_last_out(log: Interactions, source: str) -> Split:
    """Of histories with three events or more: the last is test, the one before it validation."""
    lengths = np.bincount(log.sessions)
    last = np.cumsum(lengths) - 1
    long = last[lengths >= 3]
    if not len(long):
        raise errors.UserError(
            f"{source}: no history has three events, which split.kind leave_last_out needs; "
            "give longer histories"
        )
    parts = np.full(len(log.sessions), TRAIN, np.int8)
    parts[long], parts[long - 1] = TEST, VALIDATION
    return Split(
        parts,
        "leave last out: of each history with three events or more the last is test, the one "
        "before it validation; other users' later events are in train, so that the figures are "
        "for comparison with papers and flatter",
    )


def moment(seconds: int) -> str:
    """A time as a reader knows it; small numbers are no dates and stay numbers."""
    if abs(int(seconds)) < 10_000_000:
        return str(int(seconds))
    return str(np.datetime64(int(seconds), "s")).removesuffix("T00:00:00")
