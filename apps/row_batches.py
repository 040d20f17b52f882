"""Rows gathered into requests: like with like, so that nothing has to be padded with numbers.

Numbers are only put beside numbers of the same shape. Lists of strings are padded with "", which
is no entry to any signature of this project; the graphs do the rest for texts. Rows of about the
same length stand together, since a request is as long as its longest row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from apps.input_columns import Binding
from apps.scoring_rows import BadRow, Row

_WINDOW_BATCHES = 16
_MOST_BYTES = 1 << 26  # of the rows of a window, and of a request, unless a row alone is larger


def windows(
    rows: Iterable[Row | BadRow], rows_per_batch: int
) -> Iterator[tuple[list[Row], list[BadRow]]]:
    """Rows that are in memory together, and what was set aside between them."""
    good, bad, size = list[Row](), list[BadRow](), 0
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
        else:
            weight = _bytes(row)
            if good and size + weight > _MOST_BYTES:
                yield good, bad
                good, bad, size = [], [], 0
            good.append(row)
            size += weight
        if max(len(good), len(bad)) == rows_per_batch * _WINDOW_BATCHES:
            yield good, bad
            good, bad, size = [], [], 0
    if good or bad:
        yield good, bad


def batches(rows: Sequence[Row], rows_per_batch: int) -> Iterator[list[int]]:
    """The places of the rows of each request; it follows from the rows alone."""
    shapes: dict[Any, list[int]] = {}
    for at, row in enumerate(rows):
        shape = tuple(np.shape(value) for value in row.values.values() if _is_number(value))
        shapes.setdefault(shape, []).append(at)
    weights = [_bytes(row) for row in rows]
    for places in shapes.values():
        batch: list[int] = []
        for at in sorted(places, key=weights.__getitem__):  # stable
            full = len(batch) == rows_per_batch
            if batch and (full or (len(batch) + 1) * weights[at] > _MOST_BYTES):
                yield batch
                batch = []
            batch.append(at)
        yield batch


def inputs(rows: Sequence[Row], binding: Binding) -> dict[str, Any]:
    """A request of these rows: arrays by input."""
    found: dict[str, Any] = dict(binding.constants)
    for name, wanted in binding.wanted.items():
        values = [row.values[name] for row in rows]
        found[name] = _array(values, wanted.kind, len(wanted.sides))
    for name, value in binding.repeated.items():
        kind = value.dtype if isinstance(value, np.ndarray) else np.dtype(object)
        found[name] = _array([value] * len(rows), kind, int(not isinstance(value, bytes)))
    return found


def _array(values: list[Any], kind: np.dtype, sides: int) -> np.ndarray:
    if kind != np.dtype(object):
        return np.stack([np.asarray(value, kind) for value in values])
    if not sides:
        return np.array(values, object)
    table = np.full((len(values), max(map(len, values))), b"", object)
    for row, value in zip(table, values, strict=True):
        row[: len(value)] = value
    return table


def _is_number(value: Any) -> bool:
    return not isinstance(value, bytes | list)


def _bytes(row: Row) -> int:
    """Of memory, about."""
    return sum(
        value.nbytes
        if isinstance(value, np.ndarray)
        else 16 * len(value) + sum(map(len, value))
        if isinstance(value, list)
        else len(value)
        if isinstance(value, bytes)
        else 8
        for value in row.values.values()
    )
