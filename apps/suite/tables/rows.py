"""Reads a table as a series of rows: times that rise, values, labels and parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.tables import cells, forms, large_arrays, layout, reader, series
from apps.suite.tables import config as configs
from apps.suite.tables import roles as column_roles
from apps.suite.tables import times as timestamps

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
) -> tuple[Rows, column_roles.Roles, str]:
    """Reads a table block by block; returns its rows, and how columns and times were read.

    Raises:
        UserError: a table, cell or time that cannot be read, no row at all, times that fall or (by
            the config) come twice, a cell that is not a label or a part.
    """
    roles: column_roles.Roles | None = None
    for block in table.blocks():
        if roles is None:
            roles = column_roles.find_roles(table, block, settings, learned)
            width = len(roles.values)
            clock = _clock(roles.time, settings, roles.date or "") if roles.time else None
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
    return rows, roles, clock.reading if clock else ""


written = forms.written


class Measurements(NamedTuple):
    """Steps of some channels, as a person brings them.

    Attributes:
        values: float32 [steps, channels], NaN where missing.
        times: datetime64[ms] [steps] in UTC, or None without a column of times.
    """

    values: np.ndarray
    times: np.ndarray | None


def read_text(
    text: str,
    channels: Sequence[str],
    most_steps: int,
    data_format: Mapping[str, Any] | None = None,
) -> Measurements:
    """Reads the channels' columns of a csv text, in any order; other columns are left out.

    Without a line of names the columns are the channels in their order, with or without one of
    times before them. A single column may have any name.

    Args:
        text: of a csv file.
        channels: names of the columns, in the model's order.
        most_steps: that are read.
        data_format: fields of the training's `DataFormatConfig`.

    Raises:
        UserError: no rows, a column that is missing, a cell that is not a number or not a time, no
            number at all, or too many rows.
    """
    first = layout.first_cells(text)
    if not first:
        raise errors.UserError("There are no measurements yet: paste some, or drop a csv file.")
    is_headless = cells.are_data(first) or timestamps.is_time(first[0])
    given = data_format or {}
    settings = configs.DataFormatConfig(
        **{name: given[name] for name in _OF_A_TEXT if name in given}
    )
    table = reader.open_text(
        text,
        _headless_names(first, channels) if is_headless else None,
        decimal_mark=settings.decimal_mark,
    )
    columns = {name: name for name in channels}
    if len(table.names) == 1 == len(channels):
        columns = {channels[0]: table.names[0]}
    missing = [name for name in columns.values() if name not in table.names]
    if missing:
        raise errors.UserError(
            f"The csv lacks the column {', '.join(missing)}; it has {', '.join(table.names)}. "
            "Name the columns in the first line as the model does."
        )
    clock: timestamps.Clock | None = None
    values, times = list[np.ndarray](), list[np.ndarray]()
    count = 0
    for block in table.blocks():
        if not values:
            free = [name for name in table.names if name not in columns.values()]
            name, date = column_roles.find_times(free, block, settings)
            clock = _clock(name, settings, date or "") if name else None
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


_OF_A_TEXT = ("time_zone", "time_format", "decimal_mark")


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


def _clock(name: str, settings: configs.DataFormatConfig, date: str) -> timestamps.Clock:
    return timestamps.Clock(
        name,
        settings.time_zone,
        settings.time_format,
        "give --data_format.time_format, or take the rows as steps with "
        "--data_format.time_column none",
        date,
        "--data_format",
    )


class _Order:
    """Checks that times rise, from block to block as well."""

    def __init__(self, settings: configs.DataFormatConfig, name: str) -> None:
        self._zone = settings.time_zone
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
            raise errors.UserError(
                f"{block.place(row)}: {self._name} {forms.written(times[row])} "
                f"{self._fault(block, times, int(spacing[row]))}"
            )
        self._last = int(times[-1])
        return times

    def _fault(self, block: cells.Block, times: np.ndarray, spacing: int) -> str:
        """Returns what is wrong with times that do not rise, and the ways out."""
        column = _apart(block, times)
        if column:
            return (
                f"does not come after the time above it, but times rise within each {column}: for "
                f"several series in one table say --data_format.series_column {column}"
            )
        clocks = ""
        if self._zone == "UTC" and -3600 <= spacing / timestamps.SECOND <= 0:
            clocks = (
                ", or, if clocks were put back there, name their zone, as in "
                "--data_format.time_zone Europe/Berlin"
            )
        if spacing == 0:
            return f"comes twice; remove one, or see --data_format.duplicate_times{clocks}"
        return f"is before the time above it; sort the file by time{clocks}"


def _apart(block: cells.Block, times: np.ndarray) -> str:
    """Returns a column within each of whose values the times rise; "" without one."""
    import pyarrow as pa

    for name, column in block.columns.items():
        if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
            continue
        codes = np.asarray(column.dictionary_encode().indices.fill_null(-1))
        if not 1 <= codes.max(initial=0) < len(codes) / 3:
            continue
        order = np.argsort(codes, kind="stable")
        if ((np.diff(times[order]) > 0) | (np.diff(codes[order]) != 0)).all():
            return name
    return ""


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
