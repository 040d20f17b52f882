"""Interprets the times of a column: one grammar, whichever task reads the table.

| written as | is |
|---|---|
| `2014-07-01 00:30`, with T, seconds or fractions; a date alone | ISO 8601, on the clocks of the time zone |
| the same with `Z`, `+02`, `+0200` or `+02:00` | that moment; all times of a column have an offset, or none has |
| a number below 1e11, 1e14, 1e17, or above | seconds, milli-, micro-, nanoseconds since 1970 UTC, by the median of the first block |
| anything that `time_format` describes, such as `%d.%m.%Y %H:%M` | on the clocks of the time zone |
| dates and timestamps of a parquet file | as typed |

Space around a time does not count. An empty or missing time is refused.
"""  # noqa: E501

from __future__ import annotations

import re
import typing

import numpy as np

from apps.suite import errors
from apps.suite.tables import cells

if typing.TYPE_CHECKING:
    import pyarrow as pa


SECOND = 1_000_000  # microseconds
_OFFSET = re.compile(r":\d\d(\.\d+)?\s*(Z|[+-]\d\d(:?\d\d)?)$")
_EPOCH_UNITS = (
    (1e11, 1e6, "seconds"),
    (1e14, 1e3, "milliseconds"),
    (1e17, 1.0, "microseconds"),
    (np.inf, 1e-3, "nanoseconds"),
)
_MOST = 9e18  # microseconds, and anything that is cast to int64
_WANTED = "not a time such as 2014-07-01 00:30"


class Clock:
    """Reads one column of times, block after block.

    An hour that clocks went through twice is taken the first time as long as times rise.

    Args:
        name: of the column.
        time_zone: of times without an offset, such as Europe/Berlin.
        time_format: of times that are not ISO 8601; "" for those that are.
        advice: ends the message about a text that is not a time.
    """

    def __init__(
        self, name: str, time_zone: str = "UTC", time_format: str = "", advice: str = ""
    ) -> None:
        self._name = name
        self._zone = time_zone
        self._format = time_format
        self._advice = f"; {advice}" if advice else ""
        self._has_offset: bool | None = None
        self._factor: float | None = None
        self._last = np.iinfo(np.int64).min
        self.reading = "dates and times"
        """Describes for a report how the column was read."""

    def read(self, block: cells.Block) -> np.ndarray:
        """Returns the block's times, int64 [rows], microseconds since 1970 in UTC.

        Raises:
            UserError: a missing time, or a text that is not a time, with its place.
        """
        import pyarrow as pa

        column = block.columns[self._name]
        if not len(column):
            return np.zeros(0, np.int64)
        empty = cells.missing(column)
        if empty.any():
            raise errors.UserError(
                f"{block.place(int(empty.argmax()))}: {self._name} is empty; give each row a time"
            )
        if pa.types.is_string(column.type):
            import pyarrow.compute as pc

            column = pc.utf8_trim_whitespace(column)
            if not self._format and self._factor is None and self._has_offset is None:
                self._look_at(column)
        try:
            times = self._read(column)
        except pa.ArrowInvalid as error:
            if "timezone" in str(error) and "locate" in str(error):
                raise errors.UserError(
                    f"data_format.time_zone: {self._zone} is not known here"
                ) from None
            row = cells.first_bad(column, self._read)
            text = str(column[row].as_py())
            raise errors.UserError(
                f"{block.place(row)}: {self._name} is {cells.shown(text)}, "
                f"{self._reason(text, str(error))}"
            ) from None
        self._last = times[-1]
        return times

    def _look_at(self, column: pa.Array) -> None:
        """Tells numbers from ISO 8601 by most of the first cells."""
        found = column[:200].to_pylist()
        numbers = [cells.number(text) for text in found if cells.is_number(text, False)]
        if 2 * len(numbers) >= len(found):
            self._set_unit(np.array(numbers))
        else:
            self._has_offset = bool(_OFFSET.search(found[0]))
            self.reading = "ISO times"

    def _reason(self, text: str, error: str) -> str:
        if "exist" in error:
            return f"not a time of {self._zone}, where clocks were put forward; see time_zone"
        if self._factor is not None:
            return "not a number as the times before it are"
        if text[:1].isdigit() and self._has_offset not in (None, bool(_OFFSET.search(text))):
            reason = "written without an offset" if self._has_offset else "with an offset"
            return f"{reason}, unlike the times before it"
        return _WANTED + self._advice

    def _read(self, column: pa.Array) -> np.ndarray:
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = column.type
        if pa.types.is_string(kind):
            if self._format:
                return self._from_clock(pc.strptime(column, format=self._format, unit="ns"))
            if self._factor is not None:
                return self._from_numbers(column)
            stamps = _stamps(column, "UTC" if self._has_offset else None)
            return _microseconds(stamps) if self._has_offset else self._from_clock(stamps)
        if pa.types.is_timestamp(kind):
            return self._from_clock(column) if kind.tz is None else _microseconds(column)
        if pa.types.is_date(kind):
            return self._from_clock(pc.cast(column, pa.timestamp("ms")))
        if not (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        ):
            raise pa.ArrowInvalid(f"times of type {kind}")
        if self._factor is None:
            values = pc.cast(column, pa.float64(), safe=False)
            self._set_unit(values.to_numpy(zero_copy_only=False))
        return self._from_numbers(column)

    def _set_unit(self, values: np.ndarray) -> None:
        size = float(np.median(np.abs(values[np.isfinite(values)]))) if len(values) else 0.0
        self._factor, unit = next(
            (factor, unit) for most, factor, unit in _EPOCH_UNITS if size < most
        )
        self.reading = f"numbers, read as {unit}"

    def _from_numbers(self, column: pa.Array) -> np.ndarray:
        import pyarrow as pa
        import pyarrow.compute as pc

        assert self._factor is not None
        values = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        largest = _MOST / max(1.0, self._factor)
        if not (np.abs(values) < largest).all():  # NaN and infinity as well
            raise pa.ArrowInvalid("out of range")
        if pa.types.is_integer(column.type) or self._factor < 1:  # more digits than a float64 has
            try:
                whole = pc.cast(column, pa.int64()).to_numpy(zero_copy_only=False)
            except pa.ArrowInvalid:
                pass
            else:
                return whole // 1000 if self._factor < 1 else whole * round(self._factor)
        return np.rint(values * self._factor).astype(np.int64)

    def _from_clock(self, column: pa.Array) -> np.ndarray:
        """Returns the UTC of times that clocks of the time zone showed."""
        import pyarrow.compute as pc

        if self._zone == "UTC":
            return _microseconds(column)
        early, late = (
            _microseconds(pc.assume_timezone(column, self._zone, ambiguous=which))
            for which in ("earliest", "latest")
        )
        for row in np.flatnonzero(early != late):  # one hour in a year
            before = early[row - 1] if row else self._last
            if early[row] <= before:
                early[row] = late[row]
        return early


def moment(text: str, time_zone: str = "UTC", time_format: str = "") -> int:
    """Returns one time in microseconds since 1970 UTC; raises ValueError for another text."""
    import pyarrow as pa

    block = cells.Block("time", 1, {"time": pa.array([text])})
    try:
        return int(Clock("time", time_zone, time_format).read(block)[0])
    except errors.UserError as error:
        raise ValueError(str(error)) from None


def looks_like_times(block: cells.Block, name: str) -> bool:
    """Returns true for a column of times by its type, or of text in ISO 8601."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = block.columns[name]
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return True
    if not pa.types.is_string(column.type) or cells.is_numeric(block, name):
        return False
    found = pc.utf8_trim_whitespace(pa.array(cells.present(column), pa.string()))
    if not len(found):
        return False
    try:
        _stamps(found, "UTC" if _OFFSET.search(found[0].as_py()) else None)
    except pa.ArrowInvalid:
        return False
    return True


def is_time(text: str) -> bool:
    """Returns true for a time in ISO 8601."""
    if cells.is_number(text):
        return False
    try:
        moment(text)
    except ValueError:
        return False
    return True


def _stamps(column: pa.Array, zone: str | None) -> pa.Array:
    """Reads text in ISO 8601 to the nanosecond, or to the microsecond beyond the year 2262."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.cast(column, pa.timestamp("ns", zone))
    except pa.ArrowInvalid:
        return pc.cast(column, pa.timestamp("us", zone))


def _microseconds(column: pa.Array) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    cast = pc.cast(column, pa.timestamp("us", column.type.tz), safe=False)
    return np.array(pc.cast(cast, pa.int64()).to_numpy(zero_copy_only=False), np.int64)
