"""Times of a column as microseconds since 1970 in UTC, whatever way they are written."""

from __future__ import annotations

import re
import typing

import numpy as np

from apps.suite import errors
from apps.suite.tables import cells, reader
from apps.suite.tables import config as configs

if typing.TYPE_CHECKING:
    import pyarrow as pa


SECOND = 1_000_000  # microseconds
_OFFSET = re.compile(r":\d\d(\.\d+)?\s*(Z|[+-]\d\d(:?\d\d)?)$")
_EPOCH_UNITS = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (np.inf, 1e-3))  # s, ms, us, ns


class Clock:
    """Reads one column of times, block after block.

    Text is ISO 8601 (`2014-07-01 00:30`, with T, seconds, fractions), or as `time_format` says.
    Times with an offset (`+02:00`, `Z`) are taken at their word, those without as clocks of
    `time_zone` showed them; an hour that clocks went through twice is taken the first time as long
    as times rise. Numbers are seconds since 1970, or milli-, micro- or nanoseconds by their size.
    """

    def __init__(self, name: str, settings: configs.DataFormatConfig) -> None:
        self._name = name
        self._zone = settings.time_zone
        self._format = settings.time_format
        self._has_offset: bool | None = None
        self._factor: float | None = None
        self._last = np.iinfo(np.int64).min

    def read(self, block: reader.Block) -> np.ndarray:
        """The block's times, int64 [rows]; UserError names the place of one that is none."""
        import pyarrow as pa

        column = block.columns[self._name]
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise errors.UserError(
                f"{block.place(row)}: {self._name} is empty; give each row a time"
            )
        if not len(column):
            return np.zeros(0, np.int64)
        try:
            times = self._read(column)
        except pa.ArrowInvalid as error:
            if "timezone" in str(error) and "locate" in str(error):
                raise errors.UserError(
                    f"data_format.time_zone: {self._zone} is not known here"
                ) from None
            row = cells.first_bad(column, self._read)
            text = str(column[row].as_py())
            is_like_a_time = text[:1].isdigit()
            if "exist" in str(error):
                reason = f"no time of {self._zone}, where clocks were put forward; see time_zone"
            elif is_like_a_time and self._has_offset not in (None, bool(_OFFSET.search(text))):
                reason = "written without an offset" if self._has_offset else "with an offset"
                reason += ", unlike the times before it"
            else:
                reason = "no time such as 2014-07-01 00:30; give data_format.time_format"
            raise errors.UserError(
                f"{block.place(row)}: {self._name} is {text!r}, {reason}"
            ) from None
        self._last = times[-1]
        return times

    def _read(self, column: pa.Array) -> np.ndarray:
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = column.type
        if pa.types.is_string(kind) and not self._format:
            text = column[0].as_py()
            if self._factor is None and self._has_offset is None:
                if cells.is_numeric(column):
                    self._set_unit(float(text))
                else:
                    self._has_offset = bool(_OFFSET.search(text))
            if self._factor is not None:
                return self._from_numbers(pc.cast(column, pa.float64()), column)
            if self._has_offset:
                return _microseconds(pc.cast(column, pa.timestamp("ns", "UTC")))
            return self._from_clock(pc.cast(column, pa.timestamp("ns")))
        if self._format and pa.types.is_string(kind):
            return self._from_clock(pc.strptime(column, format=self._format, unit="ns"))
        if pa.types.is_timestamp(kind):
            if kind.tz is not None:
                return _microseconds(column)
            return self._from_clock(column)
        if pa.types.is_date(kind):
            return self._from_clock(pc.cast(column, pa.timestamp("ms")))
        if self._factor is None:
            self._set_unit(float(column[0].as_py()))
        return self._from_numbers(pc.cast(column, pa.float64(), safe=False), column)

    def _set_unit(self, first: float) -> None:
        self._factor = next(factor for most, factor in _EPOCH_UNITS if abs(first) < most)

    def _from_numbers(self, values: pa.Array, column: pa.Array) -> np.ndarray:
        import pyarrow as pa
        import pyarrow.compute as pc

        assert self._factor is not None
        if pa.types.is_integer(column.type) or self._factor < 1:  # more digits than a float64 has
            whole = pc.cast(column, pa.int64()).to_numpy(zero_copy_only=False)
            return whole // 1000 if self._factor < 1 else whole * round(self._factor)
        return np.rint(values.to_numpy(zero_copy_only=False) * self._factor).astype(np.int64)

    def _from_clock(self, column: pa.Array) -> np.ndarray:
        """UTC of what clocks of `time_zone` showed."""
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


def looks_like_times(column: pa.Array) -> bool:
    """Whether a column holds times by its type, or text in ISO 8601."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return True
    found = column.drop_null()
    if not pa.types.is_string(column.type) or not len(found) or cells.is_numeric(column):
        return False
    zone = "UTC" if _OFFSET.search(found[0].as_py()) else None
    try:
        pc.cast(found[:200], pa.timestamp("ns", zone))
    except pa.ArrowInvalid:
        return False
    return True


def _microseconds(column: pa.Array) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    cast = pc.cast(column, pa.timestamp("us", column.type.tz), safe=False)
    return np.array(pc.cast(cast, pa.int64()).to_numpy(zero_copy_only=False), np.int64)
