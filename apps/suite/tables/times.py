"""Interprets the times of a column: one grammar, whichever task reads the table.

| written as | is |
|---|---|
| `2014-07-01 00:30`, with T, seconds or fractions; a date alone | ISO 8601, on the clocks of the time zone |
| the same with `Z`, ` UTC`, `+02`, `+0200` or `+02:00` | that moment; all times of a column have an offset, or none has |
| `20240701`, `2024070100`, `202407010030`, `20240701003000` | year, month, day, hour, minute, second, on the clocks of the time zone |
| another number below 1e11, 1e14, 1e17, or above | seconds, milli-, micro-, nanoseconds since 1970 UTC, by the median of the first block; one of another size is refused |
| 32874 to 73050 throughout | days since 1899-12-30, as spreadsheets count, in a column of `date`; else refused without a `time_format` |
| anything that `time_format` describes, such as `%d.%m.%Y %H:%M` | on the clocks of the time zone; with `%z` that moment |
| a number, with a `time_format` of `excel`, `seconds`, `milliseconds`, `microseconds`, `nanoseconds` | in that unit |
| dates and timestamps of a parquet file | as typed |
| a time of day, such as `00:30` | joined to the `date_column`; refused alone |

Space around a time does not count. An empty or missing time is refused.
"""  # noqa: E501

from __future__ import annotations

import re
import typing

import numpy as np

from apps.suite import errors
from apps.suite.tables import cells, forms

if typing.TYPE_CHECKING:
    import pyarrow as pa


SECOND = 1_000_000  # microseconds
_OFFSET = re.compile(r":\d\d(\.\d+)?\s*(Z|[+-]\d\d(:?\d\d)?)$")
_NAMED_UTC = r"(:\d\d(?:\.\d+)?)\s*(?:UTC|GMT)$"
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
        date: column of the dates, where `name` holds times of day.
        group: of the options in messages, such as "--data_format"; "" where there are none.

    Raises:
        UserError: a format with an offset, and a time zone.
    """

    def __init__(
        self,
        name: str,
        time_zone: str = "UTC",
        time_format: str = "",
        advice: str = "",
        date: str = "",
        group: str = "",
    ) -> None:
        if "%z" in time_format and time_zone != "UTC":
            raise errors.UserError(
                f"time_format {time_format}: %z reads the offset of each time, so time_zone "
                f"({time_zone}) has no use; leave one of the two out"
            )
        self._name = name
        self._date = date
        self._zone = time_zone
        self._format = time_format
        self._advice = f"; {advice}" if advice else ""
        self._group = group
        self._has_offset: bool | None = None
        self._unit = ""  # of numbers, or a format of a calendar
        self._last = np.iinfo(np.int64).min
        self.reading = "dates and times"
        """Describes for a report how the column was read."""

    def read(self, block: cells.Block) -> np.ndarray:
        """Returns the block's times, int64 [rows], microseconds since 1970 in UTC.

        Raises:
            UserError: a missing time, or a text that is not a time, with its place.
        """
        import pyarrow as pa

        column = self._column(block)
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
            if not self._format:
                column = pc.replace_substring_regex(column, _NAMED_UTC, r"\1Z")
            if not self._unit and self._has_offset is None:
                self._look_at(block, column)
        elif not self._unit and _is_number(column.type):
            self._set_unit(block, _floats(column))
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
                f"{self._reason(text, str(error), column)}"
            ) from None
        self._last = times[-1]
        return times

    def _column(self, block: cells.Block) -> pa.Array:
        """Returns the times; of dates and times of day, both as one text."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = block.columns[self._name]
        if not self._date:
            return column
        dates = block.columns[self._date]
        if pa.types.is_timestamp(dates.type):
            dates = dates.cast(pa.date32(), safe=False)
        both = (pc.utf8_trim_whitespace(each.cast(pa.string())) for each in (dates, column))
        return pc.binary_join_element_wise(*both, " ")

    def _look_at(self, block: cells.Block, column: pa.Array) -> None:
        """Tells numbers from ISO 8601 by most of the first cells."""
        found = column[:200].to_pylist()
        numbers = [cells.number(text) for text in found if cells.is_number(text, False)]
        if 2 * len(numbers) >= len(found) and (not self._format or self._format in forms.NUMBERS):
            self._set_unit(block, np.array(numbers))
        elif self._format:
            self._has_offset = "%z" in self._format
            self.reading = f"times of the form {self._format}"
        else:
            self._has_offset = bool(_OFFSET.search(found[0]))
            self.reading = "ISO times"

    def _reason(self, text: str, error: str, column: pa.Array) -> str:
        if "exist" in error:
            return f"not a time of {self._zone}, where clocks were put forward; see time_zone"
        if forms.is_clock(text):
            if self._group != "--data_format":
                return "a time of day without a date"
            return (
                "a time of day without a date; name the column of the dates with "
                "--data_format.date_column, or take the rows as steps with "
                "--data_format.time_column none"
            )
        if self._unit in forms.UNITS:
            other = forms.unit_of_size(abs(float(text))) if cells.is_number(text, False) else ""
            if other and other != self._unit:
                return f"{other} by its size, and other times are {self._unit}; give one unit"
            return "not a number as the times before it are"
        if text[:1].isdigit() and self._has_offset not in (None, bool(_OFFSET.search(text))):
            reason = "written without an offset" if self._has_offset else "with an offset"
            return f"{reason}, unlike the times before it"
        if self._format:
            return f"which does not fit time_format {self._format}"
        fitting = forms.format_of(column[:200].to_pylist()) if text[:1].isdigit() else ""
        if fitting and self._group:
            return f"{_WANTED}; give {self._group}.time_format {fitting}"
        return _WANTED + self._advice

    def _read(self, column: pa.Array) -> np.ndarray:
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = column.type
        is_text = pa.types.is_string(kind)
        if self._unit in (*forms.UNITS, forms.EXCEL):
            return self._from_numbers(column)
        if self._unit or (self._format and (is_text or _is_number(kind))):
            return self._from_format(column, self._unit or self._format)
        if is_text:
            stamps = _stamps(column, "UTC" if self._has_offset else None)
            return _microseconds(stamps) if self._has_offset else self._from_clock(stamps)
        if pa.types.is_timestamp(kind):
            return self._from_clock(column) if kind.tz is None else _microseconds(column)
        if pa.types.is_date(kind):
            return self._from_clock(pc.cast(column, pa.timestamp("ms")))
        raise pa.ArrowInvalid(f"times of type {kind}")

    def _set_unit(self, block: cells.Block, values: np.ndarray) -> None:
        """Tells calendar numbers, days of a spreadsheet and seconds since 1970 by the values."""
        values = values[np.isfinite(values)]
        if self._format:
            self._unit = self._format if self._format in forms.NUMBERS else ""
            self.reading = f"numbers, read as {self._format}"
            return
        calendar = forms.calendar_of(values)
        size = np.sort(np.abs(values))[(len(values) - 1) // 2] if len(values) else 0.0
        if calendar:
            self._unit = calendar
            self.reading = f"numbers of the form {calendar}"
        elif forms.are_spreadsheet_days(values):
            if "dat" not in self._name.lower():
                options = f"{self._group}.time_format" if self._group else "time_format"
                raise errors.UserError(
                    f"{block.place(0)}: {self._name} is {values[0]:g}: days since 1899, as "
                    "spreadsheets count, or seconds? Give "
                    f"{options} {forms.EXCEL} or {options} seconds"
                )
            self._unit = forms.EXCEL
            self.reading = "numbers, read as days since 1899-12-30"
        else:
            self._unit = forms.unit_of_size(size)
            self.reading = f"numbers, read as {self._unit}"

    def _from_format(self, column: pa.Array, form: str) -> np.ndarray:
        """Reads text, or whole numbers, by a format of `strptime`; %f are fractions at the end."""
        import pyarrow as pa
        import pyarrow.compute as pc

        fractions: np.ndarray | int = 0
        if _is_number(column.type):
            column = pc.cast(column, pa.int64())
        column = pc.cast(column, pa.string())
        if form.endswith((".%f", ",%f")):
            mark, form = form[-3], form[:-3]
            parts = pc.extract_regex(column, rf"^(?P<whole>.*)[{mark}](?P<part>[0-9]{{1,9}})$")
            if parts.null_count:
                raise pa.ArrowInvalid("no fraction")
            digits = pc.utf8_slice_codeunits(
                pc.binary_join_element_wise(pc.struct_field(parts, 1), "000000", ""), 0, 6
            )
            fractions = pc.cast(digits, pa.int64()).to_numpy(zero_copy_only=False)
            column = pc.struct_field(parts, 0)
        stamps = pc.strptime(column, format=form, unit="us")
        days = pc.strftime(stamps, "%Y%m%d") if self._unit else None
        if days is not None and days != pc.utf8_slice_codeunits(column, 0, 8):
            raise pa.ArrowInvalid("a day that its month does not have")
        if stamps.type.tz is not None:
            return _microseconds(stamps) + fractions
        return self._from_clock(stamps) + fractions

    def _from_numbers(self, column: pa.Array) -> np.ndarray:
        import pyarrow as pa
        import pyarrow.compute as pc

        values = _floats(column)
        if self._unit == forms.EXCEL:
            if not (np.abs(values) < 1e7).all():
                raise pa.ArrowInvalid("out of range")
            # A day has 86,400 seconds, and more digits than these are rounding
            seconds = np.rint((values - forms.EXCEL_EPOCH) * 86_400_000)
            return self._from_clock(pa.array(seconds.astype(np.int64) * 1000, pa.timestamp("us")))
        factor = forms.UNITS[self._unit]
        sizes = np.abs(values)
        if not (sizes < _MOST / max(1.0, factor)).all():  # NaN and infinity as well
            raise pa.ArrowInvalid("out of range")
        least = forms.LARGEST["seconds"] if self._unit != "seconds" else 0.0
        if not self._format and not ((sizes < forms.LARGEST[self._unit]) & (sizes >= least)).all():
            raise pa.ArrowInvalid("another unit")
        if pa.types.is_integer(column.type) or factor < 1:  # more digits than a float64 has
            try:
                whole = pc.cast(column, pa.int64()).to_numpy(zero_copy_only=False)
            except pa.ArrowInvalid:
                pass
            else:
                return whole // 1000 if factor < 1 else whole * round(factor)
        return np.rint(values * factor).astype(np.int64)

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


def is_time_of_day(column: pa.Array) -> bool:
    """Returns true for times without a date: by the type, or in most of the first cells."""
    import pyarrow as pa

    if pa.types.is_time(column.type):
        return True
    if not pa.types.is_string(column.type):
        return False
    found = cells.present(column)
    return bool(found) and 2 * sum(map(forms.is_clock, found)) >= len(found)


def fits(texts: typing.Sequence[str], time_format: str) -> bool:
    """Returns true if all texts are of a `time_format`."""
    import pyarrow as pa

    block = cells.Block("times", 1, {"time": pa.array(texts, pa.string())})
    try:
        Clock("time", time_format=time_format).read(block)
    except errors.UserError:
        return False
    return True


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _floats(column: pa.Array) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    return np.asarray(
        pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64
    )


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
    found = pc.replace_substring_regex(found, _NAMED_UTC, r"\1Z")
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
