"""Reads labels from a json file of windows of time, and makes faults into unlabelled data."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from apps.anomaly_detection import config as configs
from apps.suite import errors
from apps.suite.data import named_sets
from apps.suite.tables import forms, large_arrays, scaling, seasons, series, steps
from apps.suite.tables import times as timestamps

_STEPS_WITHOUT_SEASON = 48
LEAST_STEPS = 6
"""Length of a test part that a fault can be made into."""


def injected(
    collection: series.Collection, deviations: np.ndarray, count: int, seed: int
) -> series.Collection:
    """Returns the collection with `count` faults in the test part of each unlabelled series.

    The faults are of the kinds of `half_hourly_demand` (see its README) and as long, in days; the
    season of the first scored column's train part counts as the day, or less where the test part
    is too short for one fault. Only scored columns have faults, and fewer than `count` if the
    series has no room for more.

    Args:
        deviations: of each column, float [features].
        seed: decides where the faults are.
    """
    make = named_sets.prepare("half_hourly_demand").inject
    made = []
    total = 0
    for at, one in enumerate(collection.series):
        if one.labels is not None:
            made.append(one)
            continue
        train = slice(0, one.train_end)
        season = seasons.find(one.values[train, 0], one.observed[train, 0])
        labels = np.zeros(len(one), np.bool_)
        values = large_arrays.writable_copy(one.values)
        room, day = len(one) - one.validation_end, max(4, season or _STEPS_WITHOUT_SEASON)
        if 2 * room < 3 * day:  # not even one fault would fit
            day = max(4, 2 * room // 9)
        if len(collection.series) > 1:  # at levels of their own
            deviations = scaling.statistics_of_training([one]).deviation
        faults = make(
            values[one.validation_end :, : collection.scored_count],
            deviations,
            day,
            count,
            seed + at,
        )
        for fault in faults:
            where = slice(one.validation_end + fault.start, one.validation_end + fault.end)
            labels[where] = True
            values[where][~one.observed[where]] = 0  # missing values stay missing
        total += len(faults)
        made.append(dataclasses.replace(one, values=values, labels=labels))
    note = f"{total} faults were made into test parts without labels; measures count these alone"
    return dataclasses.replace(
        collection, series=tuple(made), notes=(*collection.notes, *([note] if total else []))
    )


class WindowLabels:
    """Labels of series from a json file of windows; both ends of a window belong to an anomaly.

    The file holds `{"file.csv": [["start", "end"], …], …}`.

    A series is looked for by its path in its folder, with or without suffix, then by its name
    alone. A file that holds a list is for one series. Start and end are times, written as in the
    data, or numbers of steps from 0 if the data have no times.
    """

    def __init__(self, path: Path, settings: configs.DataFormatConfig) -> None:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise errors.UserError(f"{path}: cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise errors.UserError(f"{path}: is not valid JSON: {str(error)[:200]}") from None
        if not isinstance(content, dict | list):
            raise errors.UserError(f'{path}: must hold {{"file.csv": [["start", "end"], …], …}}')
        self._path = path
        self._content = content
        self._settings = settings

    def of(self, name: str, suffix: str, steps: steps.Steps) -> np.ndarray:
        """Returns labels bool [time] of a series.

        Raises:
            UserError: no entry for the series, a wrong window, or one outside the series.
        """
        labels = np.zeros(len(steps.values), np.bool_)
        half = steps.step_seconds / 2 if self._settings.resample and steps.dated else 0.0
        first, last = float(steps.times[0]), float(steps.times[-1])
        for at, window in enumerate(self._windows(name, suffix), 1):
            where = f"{self._path}: {name}: window {at}"
            if not isinstance(window, list) or len(window) != 2:
                raise errors.UserError(f'{where} is {window!r}, not ["start", "end"]')
            start, end = (self._moment(each, steps.dated, where) for each in window)
            if end < start:
                raise errors.UserError(f"{where} ends before it starts")
            if start < first - half or end > last + half:
                ends = [_shown(each, steps.dated) for each in (start, end, first, last)]
                raise errors.UserError(
                    f"{where}, {ends[0]} to {ends[1]}, lies outside the series, "
                    f"which goes from {ends[2]} to {ends[3]}"
                )
            if self._settings.resample or not steps.dated:  # times rise
                begin = np.searchsorted(steps.times, start - half)
                labels[begin : np.searchsorted(steps.times, end + half, "right")] = True
            else:
                labels |= (steps.times >= start) & (steps.times <= end)
        return labels

    def _windows(self, name: str, suffix: str) -> list[Any]:
        if isinstance(self._content, list):
            return self._content
        short = name.rpartition("/")[2]
        for key in (f"{name}{suffix}", name, f"{short}{suffix}", short):
            if key in self._content:
                windows = self._content[key]
                if isinstance(windows, list):
                    return windows
                raise errors.UserError(f"{self._path}: {key} must hold a list of windows")
        raise errors.UserError(
            f'{self._path}: no entry for {name}{suffix}; write "{name}{suffix}": [] if it has no '
            "anomaly"
        )

    def _moment(self, value: Any, dated: bool, where: str) -> float:
        """Returns seconds since 1970 in UTC, or the number of a step."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if not dated or not isinstance(value, str):
            wanted = "a time" if dated else "the number of a step, as the data have no times"
            raise errors.UserError(f"{where}: {value!r} is not {wanted}")
        try:
            time = timestamps.moment(value, self._settings.time_zone, self._settings.time_format)
        except ValueError:
            raise errors.UserError(f"{where}: {value!r} is not a time") from None
        return time / timestamps.SECOND


def _shown(moment: float, dated: bool) -> str:
    return forms.written(moment * timestamps.SECOND) if dated else f"{moment:g}"
