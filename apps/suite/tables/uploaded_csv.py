"""Measurements that somebody brings as csv text: read for the channels that a model names."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from apps.suite import errors

MOST_STEPS = 100_000
_MISSING = {"", "na", "nan", "null", "none", "-", "?"}
_TIME_NAMES = ("time", "timestamp", "date", "datetime", "ds")


class Measurements(NamedTuple):
    """Steps of some channels.

    Attributes:
        values: float32 [steps, channels], NaN where missing.
        times: datetime64[ms] [steps], or None where the text has none.
    """

    values: np.ndarray
    times: np.ndarray | None


def read(text: str, channels: Sequence[str]) -> Measurements:
    """The channels' columns of a csv text, whatever their order; other columns are left out.

    Commas, semicolons and tabs divide. Without a head the columns are the channels in their order,
    with or without one for the time before them.

    Raises:
        UserError: no rows, a column that is missing, a cell that is no number, no number at all,
            or too many rows.
    """
    rows = _rows(text)
    if not rows:
        raise errors.UserError("There are no measurements yet: paste some, or drop a csv file.")
    has_head = not any(_is_number(cell) for cell in rows[0][1]) and not _is_time(rows[0][1][0])
    head, body = (rows[0][1], rows[1:]) if has_head else (_names(rows[0][1], channels), rows)
    if not body:
        raise errors.UserError("The csv has a head and no rows below it.")
    if len(body) > MOST_STEPS:
        raise errors.UserError(f"The csv has {len(body):,} rows; give {MOST_STEPS:,} at most.")
    missing = [name for name in channels if name not in head]
    if missing and len(head) == 1 == len(channels):
        head, missing = list(channels), []  # of a single column it is clear what it is
    if missing:
        raise errors.UserError(
            f"The csv lacks the column {', '.join(missing)}; it has {', '.join(head)}. "
            "Name the columns in the first line as the model does."
        )
    places = [head.index(name) for name in channels]
    values = np.array(
        [[_number(cells, at, line, head) for at in places] for line, cells in body], np.float32
    )
    if not np.isfinite(values).any():
        raise errors.UserError(f"There is no number in {', '.join(channels)}.")
    return Measurements(values, _times(head, body, set(places)))


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """Number of the line and cells of each line that is not empty."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max((",", ";", "\t"), key=first.count)
    try:
        # strict: a quote that is never closed would take all the rest for one cell
        lines = io.StringIO(text.lstrip("\ufeff"))
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        return [
            (reader.line_num, [cell.strip() for cell in cells])
            for cells in reader
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise errors.UserError(f"The text is no csv: {error}.") from error


def _names(cells: Sequence[str], channels: Sequence[str]) -> list[str]:
    """What the columns of a csv without a head are."""
    if len(cells) == len(channels):
        return list(channels)
    if len(cells) == len(channels) + 1 and _is_time(cells[0]):
        return ["time", *channels]
    wanted = ", ".join(channels)
    raise errors.UserError(
        f"The csv has {len(cells)} columns and no names; the model reads {wanted}. "
        "Write the names of the columns into the first line."
    )


def _number(cells: Sequence[str], at: int, line: int, head: Sequence[str]) -> float:
    cell = cells[at] if at < len(cells) else ""
    if cell.lower() in _MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        told = f"Line {line}, column {head[at]}: {cell[:40]!r} is no number."
        if cell.replace(",", ".", 1).replace(".", "", 1).lstrip("-").isdecimal():
            told += " Write a point, not a comma, before the decimals."
        raise errors.UserError(told) from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.lower() != "nan"


def _is_time(cell: str) -> bool:
    try:
        datetime.datetime.fromisoformat(cell)
    except ValueError:
        return False
    return True


def _times(
    head: Sequence[str], body: Sequence[tuple[int, list[str]]], taken: set[int]
) -> np.ndarray | None:
    """The times of a column that is named for them, or holds them; None where one is unreadable."""
    free = [at for at in range(len(head)) if at not in taken]
    likely = sorted(free, key=lambda at: head[at].lower() not in _TIME_NAMES)
    for at in likely:
        cells = [cells[at] if at < len(cells) else "" for _, cells in body]
        if all(map(_is_time, cells)):
            read = [datetime.datetime.fromisoformat(cell) for cell in cells]
            naive = [
                time.astimezone(datetime.UTC).replace(tzinfo=None) if time.tzinfo else time
                for time in read
            ]
            return np.array(naive, "datetime64[ms]")
    return None
