"""Recognises forms of numbers and times: marks of decimals and thousands, units, dates, clocks.

1,5  0.512  1234.5     allow one reading only
1.234,5  1,234,567     groups of thousands: the mark of decimals is clear
1,234  1.234           either; the column's other cells, or the file's, tell
"""

from __future__ import annotations

import datetime
import re
import typing
from collections.abc import Iterable, Sequence

import numpy as np

if typing.TYPE_CHECKING:
    import pyarrow as pa

NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
UNCLEAR = "unclear"
_GROUPED = {
    ".": r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?",
    ",": r"[+-]?[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]*)?",
}
_IS_GROUPED = {mark: re.compile(pattern) for mark, pattern in _GROUPED.items()}
_EITHER = r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}"
_CLEAR = {
    mark: rf"[+-]?(?:[0-9]*{decimal}[0-9]*(?:[eE][+-]?[0-9]+)?"
    rf"|[0-9]{{1,3}}(?:{group}[0-9]{{3}})+{decimal}[0-9]*|[0-9]{{1,3}}(?:{group}[0-9]{{3}}){{2,}})"
    for mark, decimal, group in ((".", r"\.", ","), (",", ",", r"\."))
}
_NOT_CLEAR = f"(?:{_EITHER}|[+-]?[.,]?)"


def decimal_mark(words: pa.Array, others: Iterable[pa.Array], decimal_comma: bool) -> str:
    """Returns a column's mark of decimals, "." or ","; "" if any reading is right, or `UNCLEAR`.

    Args:
        words: the column's cells that are not missing, without space around them.
        others: the cells of the file's other columns.
        decimal_comma: true if a comma may stand before the decimals without further proof.
    """
    own = _shown(words)
    if own:
        return own if len(own) == 1 else ""
    either = _count(words, _EITHER)
    if not either:
        return ""
    elsewhere = {*"".join(_shown(each) for each in others)}
    if len(elsewhere) == 1:
        return elsewhere.pop()
    whole = _count(words, "[+-]?[0-9]{1,3}")
    if whole + either < len(words):  # other numbers, or text
        return ""
    has_comma = _count(words, _EITHER.replace("[.,]", ",")) > 0
    if has_comma and not decimal_comma:
        return "." if whole else UNCLEAR
    return UNCLEAR if whole else ""


def is_grouped(text: str, mark: str) -> bool:
    """Returns true for a number with its thousands in groups, by the mark of decimals."""
    return bool(mark and _IS_GROUPED[mark].fullmatch(text.strip()))


def is_either(text: str) -> bool:
    """Returns true for a cell that may be decimals or a group of thousands."""
    return bool(re.fullmatch(_EITHER, text))


def first_either(words: pa.Array) -> int:
    """Returns the first row of a cell that may be decimals or a group of thousands."""
    import pyarrow.compute as pc

    return int(pc.index(pc.match_substring_regex(words, f"^(?:{_EITHER})$"), True).as_py())


def with_points(words: pa.Array, mark: str) -> pa.Array:
    """Returns numbers with a point before the decimals, and without marks between thousands.

    A point that stands where neither belongs becomes `_`, so that the cell is not a number.
    """
    import pyarrow.compute as pc

    group = "," if mark == "." else "."
    grouped = pc.match_substring_regex(words, f"^(?:{_GROUPED[mark]})$")
    words = pc.if_else(grouped, pc.replace_substring(words, group, ""), words)
    if mark == ".":
        return words
    return pc.replace_substring(pc.replace_substring(words, ".", "_"), ",", ".")


def with_point(text: str, mark: str) -> str:
    """Does for one cell what `with_points` does for a column."""
    if is_grouped(text, mark):
        text = text.replace("," if mark == "." else ".", "")
    return text if mark == "." else text.replace(".", "_").replace(",", ".")


def _shown(words: pa.Array) -> str:
    """Returns the marks, none, one or both, that some cell allows no doubt of."""
    return "".join(mark for mark, pattern in _CLEAR.items() if _count(words, pattern, _NOT_CLEAR))


def _count(words: pa.Array, pattern: str, but: str = "") -> int:
    """Counts the cells of a pattern that are not of another one."""
    import pyarrow.compute as pc

    fits = pc.match_substring_regex(words, f"^(?:{pattern})$")
    if but:
        fits = pc.and_not(fits, pc.match_substring_regex(words, f"^{but}$"))
    return int(pc.sum(fits).as_py() or 0)


UNITS = {"seconds": 1e6, "milliseconds": 1e3, "microseconds": 1.0, "nanoseconds": 1e-3}
"""Microseconds of each unit."""

LARGEST = {"seconds": 1e11, "milliseconds": 1e14, "microseconds": 1e17, "nanoseconds": np.inf}
"""Numbers below these are of the unit."""

EXCEL = "excel"
NUMBERS = (*UNITS, EXCEL)
"""The formats of numbers that `time_format` may name."""

EXCEL_EPOCH = 25_569  # days from 1899-12-30 to 1970
_EXCEL_DAYS = (32_874, 73_050)  # of 1990 and 2100
_DATED_SECONDS = (631_152_000, 4_102_444_800)  # 1990 to 2100
_CALENDARS = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[AaPp][Mm])?")
_DATE = re.compile(
    r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})"
    r"(?:([ T])(\d{1,2}):\d\d(:\d\d)?( ?[AaPp][Mm])?( ?[+-]\d\d:?\d\d)?)?"
)


def unit_of_size(size: float) -> str:
    """Returns the unit of a number of seconds, milli-, micro- or nanoseconds since 1970."""
    return next(unit for unit, most in LARGEST.items() if size < most)


def calendar_of(values: np.ndarray) -> str:
    """Returns the form of numbers such as 20240701, in 1900 to 2100; "" if one is another."""
    if not len(values) or not (values == np.floor(values)).all() or values.min() < 1:
        return ""
    digits = len(str(int(values.max())))
    form = _CALENDARS.get(digits, "")
    if not form or values.min() < 10 ** (digits - 1):
        return ""
    parts, rest = list[np.ndarray](), values
    for _ in range((digits - 4) // 2):
        rest, part = np.divmod(rest, 100)
        parts.insert(0, part)
    limits = ((1, 12), (1, 31), (0, 23), (0, 59), (0, 60))
    within = [
        ((low <= part) & (part <= high)).all()
        for part, (low, high) in zip(parts, limits, strict=False)
    ]
    return form if all(within) and 1900 <= rest.min() <= rest.max() <= 2100 else ""


def are_spreadsheet_days(values: np.ndarray) -> bool:
    """Returns true for numbers that are days of 1990 to 2100, counted from 1899-12-30."""
    return bool(len(values) and _EXCEL_DAYS[0] <= values.min() <= values.max() <= _EXCEL_DAYS[1])


def are_dated(values: np.ndarray) -> bool:
    """Returns true for numbers that are moments of 1990 to 2100, in some unit since 1970."""
    if not len(values) or not np.isfinite(values).all():
        return False
    if calendar_of(values):
        return True
    scale = UNITS[unit_of_size(float(np.median(np.abs(values))))] / 1e6
    return bool(
        _DATED_SECONDS[0] <= values.min() * scale <= values.max() * scale <= _DATED_SECONDS[1]
    )


def format_of(texts: Sequence[str]) -> str:
    """Returns the `time_format` of dates such as 31.12.2024 23:59, quoted; "" for other texts.

    Where days and months cannot be told apart, both orders are returned, parted by "or".
    """
    found = [_DATE.fullmatch(text.strip()) for text in texts]
    if not found or not all(found):
        return ""
    parts = [each.groups() for each in found if each]
    first, mark, _, last, between, hours, seconds, half, offset = parts[0]
    clock = ""
    if hours:
        clock = between + ("%I" if half else "%H") + ":%M" + (":%S" if seconds else "")
        clock += (" %p" if half.startswith(" ") else "%p") if half else ""
        clock += (" %z" if offset.startswith(" ") else "%z") if offset else ""
    if len(first) == 4:
        return f'"%Y{mark}%m{mark}%d{clock}"'
    year = "%Y" if len(last) == 4 else "%y"
    day_first, month_first = (
        f'"{one}{mark}{other}{mark}{year}{clock}"' for one, other in (("%d", "%m"), ("%m", "%d"))
    )
    if mark == "." or any(int(each[0]) > 12 for each in parts):
        return day_first
    if any(int(each[2]) > 12 for each in parts):
        return month_first
    return f"{day_first} or {month_first}"


def is_clock(text: str) -> bool:
    """Returns true for a time of day, such as 18:05."""
    return bool(_TIME_OF_DAY.fullmatch(text.strip()))


def written(microseconds: float) -> str:
    """Returns a time as messages show it."""
    moment = datetime.datetime.fromtimestamp(microseconds / 1e6, datetime.UTC)
    return moment.isoformat(sep=" ").replace("+00:00", " UTC")
