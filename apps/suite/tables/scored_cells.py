"""A cell of a table as a value that an input of a signature takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class CellError(Exception):
    """Why a cell is no value of an input; `str` says it without naming the input."""


class Wanted(NamedTuple):
    """What an input takes for one row.

    kind: of a number; object for text.
    sides: of the row's own shape, None where free: () is a single value.
    """

    kind: np.dtype
    sides: tuple[int | None, ...]


def one(cell: Any, kind: np.dtype, missing: bool = False) -> Any:
    """A single value: bytes of a text, or a number of the kind.

    Args:
        cell: text of a csv, or what parquet holds.
        kind: of the input.
        missing: whether an empty cell is a NaN, as signatures over series take them.

    Raises:
        CellError: it is no such value.
    """
    if kind == np.dtype(object):
        return _text(cell)
    if kind.kind == "b":
        return _truth(cell)
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        if missing and kind.kind == "f":
            return math.nan
        raise CellError("is empty")
    return _whole(cell, kind) if kind.kind in "iu" else _real(cell, kind, missing)


def many(cell: Any, wanted: Wanted, separator: str) -> Any:
    """A row's list of values: bytes in a list for texts, an array for numbers.

    Args:
        cell: a list; or a text of values with `separator` between them, any white space for " ".
        wanted: with one side.
        separator: of texts; between the entries that it parts, other space belongs to them.

    Raises:
        CellError: an entry is no value, or the list has another length than is needed.
    """
    if isinstance(cell, str):
        # As bytes: texts, which are most of all lists, then need no look at each
        between = None if separator == " " else separator.encode()
        values = _text(cell).split(between) if cell else []
        if wanted.kind.hasobject and wanted.sides == (None,):
            return values
        cell = [value.decode() for value in values]
    if cell is None or not isinstance(cell, Sequence | np.ndarray) or isinstance(cell, bytes):
        raise CellError("is empty" if cell is None else "is no list")
    values = [one(entry, wanted.kind) for entry in cell]
    (side,) = wanted.sides
    if side not in (None, len(values)):
        raise CellError(f"has {len(values)} values, and needs {side}")
    return values if wanted.kind == np.dtype(object) else np.array(values, wanted.kind)


def _text(cell: Any) -> bytes:
    if isinstance(cell, bytes):
        return cell
    if not isinstance(cell, str):
        raise CellError("is empty" if cell is None else f"is {cell!r}, and has to be text")
    try:
        return cell.encode()
    except UnicodeEncodeError as error:
        raise CellError("is not UTF-8") from error


def _truth(cell: Any) -> bool:
    if isinstance(cell, bool | np.bool_):
        return bool(cell)
    told = {"true": True, "1": True, "false": False, "0": False}
    if not isinstance(cell, str) or cell.strip().lower() not in told:
        raise CellError(f"is {_shown(cell)}, and has to be true or false")
    return told[cell.strip().lower()]


def _whole(cell: Any, kind: np.dtype) -> int:
    try:
        value = int(cell) if isinstance(cell, str | int) and not isinstance(cell, bool) else None
    except ValueError:
        value = None
    if value is None:
        raise CellError(f"is {_shown(cell)}, and has to be a whole number")
    limits = np.iinfo(kind)
    if not limits.min <= value <= limits.max:
        raise CellError(f"is {value}, and has to fit into {kind.name}")
    return value


def _real(cell: Any, kind: np.dtype, missing: bool) -> float:
    if isinstance(cell, bool | bytes | list):
        raise CellError(f"is {_shown(cell)}, and has to be a number")
    try:
        value = float(cell)
    except (TypeError, ValueError) as error:
        raise CellError(f"is {_shown(cell)}, and has to be a number") from error
    if (missing and math.isnan(value)) or abs(value) <= float(np.finfo(kind).max):
        return value
    raise CellError(f"is {value}, and has to be a finite {kind.name}")


def _shown(cell: Any) -> str:
    text = repr(cell)
    return text if len(text) <= 40 else f"{text[:40]}…"
