"""Converts cells of a table, and constants, into values that an input of a signature takes.

The grammar of cells is that of `tables.cells`; here it meets the type and the shape of the input.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.suite.tables import cells, forms

_WHOLE = re.compile(r"[+-]?[0-9]+")


class CellError(Exception):
    """A cell that is not a value of an input; `str` gives the reason without the input's name."""


class Wanted(NamedTuple):
    """The value that an input takes for one row.

    kind: of a number; object for text.
    sides: of the row's own shape, None where free: () is a single value.
    """

    kind: np.dtype
    sides: tuple[int | None, ...]


def one(
    cell: Any,
    kind: np.dtype,
    missing: bool = False,
    decimal_comma: bool = False,
    mark: str = "",
) -> Any:
    """Returns a single value: bytes of a text, or a number of the kind.

    Args:
        cell: text of a csv, or a value of parquet.
        kind: of the input.
        missing: true if a missing number is NaN, as signatures over series take it.
        decimal_comma: true if a comma may stand before the decimals.
        mark: of decimals in the column, as `cells.mark_of` finds it.

    Raises:
        CellError: a cell that is not such a value.
    """
    if kind == np.dtype(object):
        return _text(cell)
    if kind.kind != "f" and (cell is None or (isinstance(cell, str) and cells.is_missing(cell))):
        raise CellError("is empty")
    if kind.kind == "b":
        return _truth(cell)
    if kind.kind in "iu":
        return _whole(cell, kind, mark)
    return _real(cell, kind, missing, decimal_comma, mark)


def many(
    cell: Any,
    wanted: Wanted,
    separator: str,
    decimal_comma: bool = False,
    marks: Sequence[str] = (),
) -> Any:
    """Returns a row's list of values: bytes in a list for texts, an array for numbers.

    Args:
        cell: a list; or a text of values with `separator` between them, any white space for " ".
        wanted: with one side.
        separator: of texts; between the entries that it parts, other space belongs to them.
        decimal_comma: true if a comma may stand before the decimals.
        marks: of decimals, where the entries are cells of several columns.

    Raises:
        CellError: an entry that is not a value, or a list of another length than is needed.
    """
    if isinstance(cell, str):
        # As bytes: texts, which are most of all lists, then need no look at each
        between = None if separator == " " else separator.encode()
        values = _text(cell).split(between) if cell else []
        if wanted.kind.hasobject and wanted.sides == (None,):
            return values
        cell = [value.decode() for value in values]
    if cell is None or not isinstance(cell, Sequence | np.ndarray) or isinstance(cell, bytes):
        raise CellError("is empty" if cell is None else "is not a list")
    pairs = zip(cell, marks, strict=True) if marks else ((entry, "") for entry in cell)
    values = [
        one(entry, wanted.kind, decimal_comma=decimal_comma, mark=mark) for entry, mark in pairs
    ]
    (side,) = wanted.sides
    if side not in (None, len(values)):
        raise CellError(f"has {len(values)} values, and needs {side}")
    return values if wanted.kind == np.dtype(object) else np.array(values, wanted.kind)


def _text(cell: Any) -> bytes:
    if isinstance(cell, bytes):
        return cell
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        cell = int(cell)  # a gap among whole numbers made them floats
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell).encode()
    if not isinstance(cell, str):
        raise CellError("is empty" if cell is None else f"is {cell!r}, and has to be text")
    try:
        return cell.encode()
    except UnicodeEncodeError as error:
        raise CellError("is not UTF-8") from error


def _truth(cell: Any) -> bool:
    if isinstance(cell, bool | np.bool_):
        return bool(cell)
    try:
        return cells.truth(str(cell))
    except ValueError as error:
        raise CellError(f"is {cells.shown(cell)}, and has to be true or false") from error


def _whole(cell: Any, kind: np.dtype, mark: str) -> int:
    if isinstance(cell, str) and forms.is_grouped(cell, mark if mark in (".", ",") else ""):
        cell = forms.with_point(cell.strip(), mark)
    is_whole = isinstance(cell, int) and not isinstance(cell, bool)
    if not is_whole and not (isinstance(cell, str) and _WHOLE.fullmatch(cell.strip())):
        raise CellError(f"is {cells.shown(cell)}, and has to be a whole number")
    value, limits = int(cell), np.iinfo(kind)
    if not limits.min <= value <= limits.max:
        raise CellError(f"is {value}, and has to fit into {kind.name}")
    return value


def _real(cell: Any, kind: np.dtype, missing: bool, decimal_comma: bool, mark: str) -> float:
    try:
        if cell is None:
            value = math.nan
        elif isinstance(cell, str):
            value = cells.number(cell, decimal_comma, mark)
        elif isinstance(cell, bytes | list):
            raise ValueError
        else:
            value = float(cell)
    except (TypeError, ValueError) as error:
        if mark == forms.UNCLEAR and isinstance(cell, str) and forms.is_either(cell.strip()):
            told = "and other cells are below 1000: write no mark between thousands"
            raise CellError(f"is {cells.shown(cell)}, {told}") from error
        raise CellError(f"is {cells.shown(cell)}, and has to be a number") from error
    if math.isnan(value):
        if missing:
            return value
        raise CellError("is empty")
    if abs(value) <= float(np.finfo(kind).max):
        return value
    raise CellError(f"is {value}, and has to be a finite {kind.name}")
