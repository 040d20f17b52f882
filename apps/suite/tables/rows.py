"""Reads a table as a series of rows: finds its columns' roles, then times, values and labels."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.tables import cells, large_arrays, layout, reader, series
from apps.suite.tables import config as configs
from apps.suite.tables import times as timestamps

_TIMES = ("time", "timestamp", "datetime", "date_time", "date", "ts", "ds")
_LABELS = ("label", "labels", "is_anomaly", "anomaly", "is_anomalous", "anomalous", "is_outlier")


@dataclass(frozen=True)
class Roles:
    """Names of a table's columns by their roles; None for a role that no column has."""

    time: str | None
    label: str | None
    part: str | None
    values: tuple[str, ...]  # scored columns, then columns that are only read
    scored_count: int
    left_out: tuple[str, ...]  # neither named in the config nor numeric


def find_roles(
    table: reader.Table,
    first: cells.Block,
    settings: configs.DataFormatConfig,
    learned: tuple[str, ...] | None = None,
) -> Roles:
    """Finds the roles by the config, by the columns' names, and by the first block's content.

    Args:
        learned: the columns of the training, or None. They must be here, and further columns are
            left out.

    Raises:
        UserError: a column of the config or of the training that the table lacks, or no numeric
            column.
    """
    for field, named in (
        ("time_column", () if settings.time_column == "none" else (settings.time_column,)),
        ("label_column", (settings.label_column,)),
        ("input_columns", () if learned else settings.input_columns),
    ):
        for name in named:
            if name and name not in table.names:
                raise errors.UserError(
                    f"{table.source}: no column {name}, which data_format.{field} names; "
                    f"there are {', '.join(table.names)}"
                )
    time = _time(table.names, first, settings)
    others = [name for name in table.names if name != time]
    label = settings.label_column or _named(others, _LABELS)
    if label in (learned or ()):
        label = None  # a column of values that is named like a label
    others = [name for name in others if name not in (label, *settings.ignored_columns)]
    part = next((name for name in others if name.lower() == "part"), None)
    if part is not None and not _holds_parts(first, part):
        part = None
    others = [name for name in others if name != part]
    if learned is not None:
        return Roles(time, label, part, *_as_learned(table, others, learned), left_out=())
    numeric = [name for name in others if cells.is_numeric(first, name)]
    scored = [name for name in numeric if name not in settings.input_columns]
    if not scored:
        beside = f" beside {time}" if time else ""
        raise errors.UserError(
            f"{table.source}: no numeric column to score{beside}; "
            f"there are {', '.join(table.names)}"
        )
    inputs = [name for name in settings.input_columns if name in numeric]
    left_out = tuple(name for name in others if name not in numeric)
    return Roles(time, label, part, (*scored, *inputs), len(scored), left_out)


def _time(
    names: Sequence[str], first: cells.Block, settings: configs.DataFormatConfig
) -> str | None:
    """Finds the column of times: by the config, by its name, or by its content."""
    if settings.time_column == "none":
        return None
    if settings.time_column:
        return settings.time_column
    return _named(names, _TIMES) or next(
        (name for name in names if timestamps.looks_like_times(first, name)), None
    )


def _named(names: Sequence[str], known: tuple[str, ...]) -> str | None:
    """Finds the column whose name comes first in `known`."""
    lower = {name.lower(): name for name in reversed(names)}
    return next((lower[name] for name in known if name in lower), None)


def _holds_parts(first: cells.Block, name: str) -> bool:
    found = first.columns[name].unique()
    return {*cells.present(found, len(found))} <= {*series.PARTS}


def _as_learned(
    table: reader.Table, others: list[str], learned: tuple[str, ...]
) -> tuple[tuple[str, ...], int]:
    missing = [name for name in learned if name not in others]
    if missing:
        new = [name for name in others if name not in learned]
        instead = f", has {_some(new)} instead" if new else ""
        raise errors.UserError(
            f"{table.source}: lacks {_some(missing)} of the columns that were learned{instead}; "
            "name the columns as they were in training"
        )
    return learned, len(learned)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


NewArray = Callable[[str, type, int], large_arrays.GrowingArray]
"""Makes an array by its name, type and number of columns, in memory or in a file."""

_ANOMALY, _NORMAL = ("anomaly",), ("normal",)  # labels beside those that `cells` knows


class Rows(NamedTuple):
    """The rows of a table; None for a column that it lacks."""

    times: np.ndarray | None  # int64 [rows], microseconds since 1970 UTC
    values: np.ndarray  # float32 [rows, features]; 0 where not observed
    observed: np.ndarray  # bool [rows, features]
    labels: np.ndarray | None  # bool [rows]
    parts: np.ndarray | None  # int8 [rows], places in `series.PARTS`, which never fall


def read(
    table: reader.Table,
    settings: configs.DataFormatConfig,
    learned: tuple[str, ...] | None,
    new_array: NewArray,
) -> tuple[Rows, Roles]:
    """Reads a table block by block.

    Raises:
        UserError: a table, cell or time that cannot be read, no row at all, times that fall or (by
            the config) come twice, a cell that is not a label or a part.
    """
    roles: Roles | None = None
    for block in table.blocks():
        if roles is None:
            roles = find_roles(table, block, settings, learned)
            width = len(roles.values)
            clock = _clock(roles.time, settings) if roles.time else None
            times = new_array("row_times", np.int64, 0)
            values = new_array("row_values", np.float32, width)
            observed = new_array("row_observed", np.bool_, width)
            labels = new_array("row_labels", np.bool_, 0)
            parts = new_array("row_parts", np.int8, 0)
            order = _Order(settings, roles.time or "")
            part_order = _PartOrder(roles.part or "")
        if clock:
            times.append(order.checked(block, clock.read(block)))
        columns = [cells.numbers(block, name) for name in roles.values]
        found = np.stack(columns, axis=1) if columns[0].size else np.zeros((0, width))
        values.append(np.nan_to_num(found, nan=0.0))
        observed.append(~np.isnan(found))
        if roles.label:
            labels.append(cells.truths(block, roles.label, _ANOMALY, _NORMAL))
        if roles.part:
            parts.append(part_order.checked(block))
    if roles is None:
        raise errors.UserError(f"{table.source}: has no rows")
    rows = Rows(
        times=times.finish() if clock else None,
        values=values.finish(),
        observed=observed.finish(),
        labels=labels.finish() if roles.label else None,
        parts=parts.finish() if roles.part else None,
    )
    if not len(rows.values):
        raise errors.UserError(f"{table.source}: has no rows")
    return rows, roles


def written(microseconds: float) -> str:
    """Returns a time as messages show it."""
    moment = datetime.datetime.fromtimestamp(microseconds / timestamps.SECOND, datetime.UTC)
    return moment.isoformat(sep=" ").replace("+00:00", " UTC")


class Measurements(NamedTuple):
    """Steps of some channels, as a person brings them.

    Attributes:
        values: float32 [steps, channels], NaN where missing.
        times: datetime64[ms] [steps] in UTC, or None without a column of times.
    """

    values: np.ndarray
    times: np.ndarray | None


def read_text(text: str, channels: Sequence[str], most_steps: int) -> Measurements:
    """Reads the channels' columns of a csv text, in any order; other columns are left out.

    Without a line of names the columns are the channels in their order, with or without one of
    times before them. A single column may have any name.

    Raises:
        UserError: no rows, a column that is missing, a cell that is not a number or not a time, no
            number at all, or too many rows.
    """
    first = layout.first_cells(text)
    if not first:
        raise errors.UserError("There are no measurements yet: paste some, or drop a csv file.")
    is_headless = cells.are_data(first) or timestamps.is_time(first[0])
    table = reader.open_text(text, _headless_names(first, channels) if is_headless else None)
    columns = {name: name for name in channels}
    if len(table.names) == 1 == len(channels):
        columns = {channels[0]: table.names[0]}
    missing = [name for name in columns.values() if name not in table.names]
    if missing:
        raise errors.UserError(
            f"The csv lacks the column {', '.join(missing)}; it has {', '.join(table.names)}. "
            "Name the columns in the first line as the model does."
        )
    settings = configs.DataFormatConfig()
    clock: timestamps.Clock | None = None
    values, times = list[np.ndarray](), list[np.ndarray]()
    count = 0
    for block in table.blocks():
        if not values:
            free = [name for name in table.names if name not in columns.values()]
            name = _time(free, block, settings)
            clock = _clock(name, settings) if name else None
        values.append(np.stack([cells.numbers(block, each) for each in columns.values()], axis=1))
        if clock:
            times.append(clock.read(block))
        count += len(values[-1])
    if not count:
        raise errors.UserError("The csv has a line of names and no rows below it.")
    if count > most_steps:
        raise errors.UserError(f"The csv has {count:,} rows; give {most_steps:,} at most.")
    found = np.concatenate(values).astype(np.float32)
    if not np.isfinite(found).any():
        raise errors.UserError(f"There is no number in {', '.join(columns.values())}.")
    if not clock:
        return Measurements(found, None)
    return Measurements(found, (np.concatenate(times) // 1000).astype("datetime64[ms]"))


def _headless_names(first: Sequence[str], channels: Sequence[str]) -> list[str]:
    """Returns names for the columns of a csv text without a line of names."""
    if len(first) == len(channels):
        return list(channels)
    if len(first) == len(channels) + 1 and timestamps.is_time(first[0]):
        return ["time", *channels]
    raise errors.UserError(
        f"The csv has {len(first)} columns and no names; the model reads {', '.join(channels)}. "
        "Write the names of the columns into the first line."
    )


def _clock(name: str, settings: configs.DataFormatConfig) -> timestamps.Clock:
    advice = "give data_format.time_format"
    return timestamps.Clock(name, settings.time_zone, settings.time_format, advice)


class _Order:
    """Checks that times rise, from block to block as well."""

    def __init__(self, settings: configs.DataFormatConfig, name: str) -> None:
        self._any = not settings.resample  # the rows are the steps, whatever their times
        self._equal = settings.duplicate_times != "refuse"
        self._name = name
        self._last: int | None = None

    def checked(self, block: cells.Block, times: np.ndarray) -> np.ndarray:
        if self._any or not len(times):
            return times
        spacing = np.diff(times, prepend=times[0] - 1 if self._last is None else self._last)
        falls = spacing < 0 if self._equal else spacing <= 0
        if falls.any():
            row = int(falls.argmax())
            place, time = block.place(row), written(times[row])
            if spacing[row] == 0:
                raise errors.UserError(
                    f"{place}: {self._name} {time} comes twice; remove one, or see "
                    "--data_format.duplicate_times"
                )
            raise errors.UserError(
                f"{place}: {self._name} {time} is before the time above it; sort the file by time"
            )
        self._last = int(times[-1])
        return times


class _PartOrder:
    """Checks that parts follow each other: train, validation, test."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last = 0

    def checked(self, block: cells.Block) -> np.ndarray:
        import pyarrow as pa
        import pyarrow.compute as pc

        column = block.columns[self._name]
        found = pc.index_in(column, pa.array(series.PARTS))
        codes = np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int8)
        if (codes < 0).any():
            row = int((codes < 0).argmax())
            raise errors.UserError(
                f"{block.place(row)}: {self._name} is {column[row].as_py()!r}, not one of "
                f"{', '.join(series.PARTS)}"
            )
        falls = np.diff(codes, prepend=self._last) < 0
        if falls.any():
            row = int(falls.argmax())
            raise errors.UserError(
                f"{block.place(row)}: {self._name} is {column[row].as_py()} after a later part; "
                "each must be one stretch of time, train first and test last"
            )
        self._last = int(codes[-1]) if len(codes) else self._last
        return codes
