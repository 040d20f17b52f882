"""Tells a mark of decimals from one that parts thousands, by the cells of a column and of its file.

1,5  0.512  1234.5     allow one reading only
1.234,5  1,234,567     groups of thousands: the mark of decimals is clear
1,234  1.234           either; the column's other cells, or the file's, tell
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable

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


def found(words: pa.Array, others: Iterable[pa.Array], decimal_comma: bool) -> str:
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
