"""Gathers rows of the input into requests.

A request holds numbers of one shape only, so that none has to be padded; lists of strings are
padded with "", which no signature of this project takes for an entry. Rows of about the same length
stand together, since a request is as long as its longest row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from apps.suite.scoring.binding import Binding
from apps.suite.scoring.rows import BadRow, Row

_WINDOW_BATCHES = 16
_MOST_BYTES = 1 << 26  # of the rows of a window, and of a request, unless a row alone is larger


def windows(
    rows: Iterable[Row | BadRow], rows_per_batch: int
) -> Iterator[tuple[list[Row], list[BadRow]]]:
    """Yields rows that are in memory together, and those that were set aside between them."""
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
    """Yields the places of the rows of each request; they follow from the rows alone."""
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
    """Returns a request of these rows: arrays by input."""
    found: dict[str, Any] = dict(binding.constants)
    for name, wanted in binding.wanted.items():
        values = [row.values[name] for row in rows]
        if binding.layout == "frames":
            found[name] = np.concatenate([_clips(value) for value in values])
            continue
        found[name] = _array(values, wanted.kind, len(wanted.sides))
    for name, value in binding.repeated.items():
        kind = value.dtype if isinstance(value, np.ndarray) else np.dtype(object)
        found[name] = _array([value] * len(rows), kind, int(not isinstance(value, bytes)))
    return found


def averaged(answers: dict[str, Any], rows: Sequence[Row], binding: Binding) -> dict[str, Any]:
    """Returns the answers to rows of several clips: the mean of the numbers of a row's clips.

    `label` becomes the one of `label_names` whose mean probability is the highest; other texts are
    the first clip's.

    Args:
        answers: of a request of `inputs`, a row for each clip.
        rows: of the request.
        binding: of the job.
    """
    if binding.layout != "frames":
        return answers
    counts = [len(_clips(next(iter(row.values.values())))) for row in rows]
    total, first = sum(counts), np.cumsum([0, *counts[:-1]])
    found = dict(answers)
    for name, value in answers.items():
        if name.endswith("_names") or np.ndim(value) == 0 or len(value) != total:
            continue
        found[name] = value[first]
        if value.dtype.kind == "f":
            means = np.add.reduceat(value, first) / np.reshape(
                counts, [-1] + [1] * (value.ndim - 1)
            )
            found[name] = means.astype(value.dtype)
    if {"label", "label_names", "probabilities"} <= found.keys():
        names = np.asarray(found["label_names"])
        best = found["probabilities"].argmax(axis=-1)
        found["label"] = names[best] if names.ndim == 1 else names[0][best]
    return found


def _clips(value: np.ndarray) -> np.ndarray:
    """Returns [clips, frames, height, width, 3] of a row of one clip or of several."""
    return value if value.ndim == 5 else value[None]


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
    """Returns the memory that a row takes, about."""
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
