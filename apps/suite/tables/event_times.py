"""Times of a log in any usual writing, as whole seconds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.suite import errors

# Numbers are taken for seconds since 1970 unless that would be thousands of years away
_UNITS = ((1e17, "nanoseconds", 1e9), (1e14, "microseconds", 1e6), (1e11, "milliseconds", 1e3))
_WANTED = "give seconds, milliseconds or ISO times such as 2024-01-31 18:05:00"
_LARGEST = 9e18


def seconds(column: pa.ChunkedArray, name: str, source: str) -> tuple[np.ndarray, str]:
    """int64 [events] seconds since 1970, and a sentence on how the column was read.

    Numbers are seconds, milliseconds, microseconds or nanoseconds, by their size (the median's);
    text is numbers or ISO 8601, with a zone everywhere or nowhere; dates and timestamps of a
    parquet file are what they are. Fractions of a second are cut off.

    Raises:
        UserError: an empty or unreadable time; the message has its row (the first one of data
            is 1) and what it says.
    """
    if column.null_count:
        row = column.is_null().index(pa.scalar(True)).as_py() + 1
        raise errors.UserError(f"{source}: row {row} of data has no {name}; {_WANTED}")
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _whole_seconds(column), f"column {name}: dates and times"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _of_text(column, name, source)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        # Nanoseconds are beyond what float64 holds to the last digit; seconds aren't
        return _of_numbers(column.cast(pa.float64(), safe=False), name, source)
    raise errors.UserError(f"{source}: column {name} is of type {kind}; {_WANTED}")


def _of_text(column: pa.ChunkedArray, name: str, source: str) -> tuple[np.ndarray, str]:
    trimmed = pc.utf8_trim_whitespace(column)
    try:
        return _of_numbers(trimmed.cast(pa.float64()), name, source)
    except pa.ArrowInvalid:
        pass
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return _whole_seconds(trimmed.cast(kind)), f"column {name}: ISO times"
        except pa.ArrowInvalid:
            continue
    row, text = _first_unreadable(trimmed)
    raise errors.UserError(
        f"{source}: row {row} of data: {name} {text!r} cannot be read as a time; {_WANTED}"
    )


def _of_numbers(column: pa.ChunkedArray, name: str, source: str) -> tuple[np.ndarray, str]:
    numbers = column.to_numpy()
    bad = np.flatnonzero(~(np.abs(numbers) < _LARGEST))
    if len(bad):
        raise errors.UserError(
            f"{source}: row {bad[0] + 1} of data: {name} {numbers[bad[0]]} is no time; {_WANTED}"
        )
    size = np.median(np.abs(numbers)) if len(numbers) else 0
    unit, divisor = next(((u, d) for least, u, d in _UNITS if size >= least), ("seconds", 1.0))
    return np.floor(numbers / divisor).astype(np.int64), f"column {name}: numbers, read as {unit}"


def _whole_seconds(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    # Through microseconds: an unsafe cast to seconds would round towards 1970
    moments = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).to_numpy()
    return moments // 1_000_000


def _first_unreadable(column: pa.ChunkedArray) -> tuple[int, str]:
    """Row (from 1) and text of the first time that differs in kind from those before it.

    By halves: a prefix of the column can be read as a whole, or it cannot.
    """
    readable, unreadable = 0, len(column)
    while unreadable - readable > 1:
        middle = (readable + unreadable) // 2
        if _is_readable(column.slice(0, middle)):
            readable = middle
        else:
            unreadable = middle
    return readable + 1, column[readable].as_py()


def _is_readable(column: pa.ChunkedArray) -> bool:
    for kind in (pa.float64(), pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            column.cast(kind)
        except pa.ArrowInvalid:
            continue
        return True
    return False
