"""Columns of a table as numbers, and where the text in them is none."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any

import numpy as np

from apps.suite import errors

if typing.TYPE_CHECKING:
    import pyarrow as pa

    from apps.suite.tables import reader


def numbers(block: reader.Block, name: str) -> np.ndarray:
    """A column as float64 [rows], NaN where missing; UserError names the place of a bad value."""
    import pyarrow as pa

    column = block.columns[name]
    try:
        values = _as_float(column)
    except pa.ArrowInvalid:
        row = first_bad(column, _as_float)
        raise errors.UserError(
            f"{block.place(row)}: {name} is {str(column[row].as_py())!r}, which is no number; "
            "leave it empty where it is missing"
        ) from None
    too_large = np.abs(values) > np.finfo(np.float32).max
    if too_large.any():
        row = int(too_large.argmax())
        raise errors.UserError(
            f"{block.place(row)}: {name} is {values[row]}; leave it empty where it is missing"
        )
    return values


def is_numeric(column: pa.Array) -> bool:
    """Whether a column holds numbers: all of them by type, or most of a text column's first."""
    import pyarrow as pa

    kind = column.type
    if not pa.types.is_string(kind):
        return bool(
            pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_boolean(kind)
            or pa.types.is_decimal(kind)
            or pa.types.is_null(kind)
        )
    found = column.drop_null()[:200]
    good = sum(is_number(text.as_py()) for text in found)
    return 2 * good >= len(found)


def first_bad(column: pa.Array, read: Callable[[pa.Array], Any]) -> int:
    """The first row at which `read`, which raises ArrowInvalid for the column, does so."""
    import pyarrow as pa

    low, high = 0, len(column)  # [0, low) can be read, [0, high) cannot
    while high - low > 1:
        middle = (low + high) // 2
        try:
            read(column[low:middle])
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


def is_number(text: str) -> bool:
    """Whether a text is a number, with a point or a comma."""
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _as_float(column: pa.Array) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(column.type):
        try:
            cast = pc.cast(column, pa.float64())
        except pa.ArrowInvalid:  # spaces around a number, a comma for the decimal point
            tidy = pc.replace_substring(pc.utf8_trim_whitespace(column), ",", ".")
            cast = pc.cast(tidy, pa.float64())
    elif pa.types.is_boolean(column.type):
        cast = pc.cast(pc.cast(column, pa.int8()), pa.float64())
    else:
        cast = pc.cast(column, pa.float64(), safe=False)
    return np.asarray(cast.to_numpy(zero_copy_only=False), np.float64)
