"""Turns the answers of a signature into rows of a table, in Arrow's types."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow

from apps.suite import errors
from apps.suite.scoring.binding import Tensor
from apps.suite.scoring.rows import Row

FILE, ROW = "file", "row"
"""Columns that say where a row comes from: the path, and the number in it, from 1."""


class Outputs(NamedTuple):
    """The outputs of a signature, divided into columns and constants.

    columns: outputs with a value for each row.
    once: outputs that are the same for all rows, such as the names of the labels; they are written
        once for the whole job.
    """

    signature: str
    columns: dict[str, Tensor]
    once: tuple[str, ...]
    series: bool
    steps: int = 0

    def rows_of(self, row: Row) -> int:
        """Counts the rows of the output for a row of the input: one for each step of a series."""
        if self.steps:
            return self.steps
        if not self.series:
            return 1
        return next(len(each) for each in row.values.values() if isinstance(each, np.ndarray))


def outputs(
    signature: str,
    described: Mapping[str, Tensor],
    chosen: Sequence[str],
    series: bool,
    steps: int = 0,
) -> Outputs:
    """Divides the outputs of a signature.

    Args:
        signature: its name.
        described: its outputs.
        chosen: by the user; empty for all.
        series: true if a row is a table of steps.
        steps: of the answer to a series; 0 = as many as the series has.

    Raises:
        UserError: an output that is not there, or none with rows.
    """
    for name in chosen:
        if name not in described:
            known = ", ".join(sorted(described))
            raise errors.UserError(f"--outputs {name}: signature {signature} gives {known}")
    columns, once = dict[str, Tensor](), list[str]()
    for name in sorted(described):
        tensor = described[name]
        is_names = name.endswith("_names") and tensor.kind.hasobject
        fixed = tensor.shape is not None and (not tensor.shape or tensor.shape[0] is not None)
        if is_names or (fixed and (not chosen or name in chosen)):
            once.append(name)
        elif not fixed and (not chosen or name in chosen):
            columns[name] = tensor
    if not columns:
        raise errors.UserError(f"--outputs: none of them has a value for each row: {signature}")
    return Outputs(signature, columns, tuple(once), series, steps)


def schema(given: Outputs, kept: Mapping[str, Any]) -> pyarrow.Schema:
    """Returns the schema of the output: origin of a row, columns that were kept, answers.

    Raises:
        UserError: two columns of one name.
    """
    fields = [(FILE, pyarrow.string()), (ROW, pyarrow.int64()), *kept.items()]
    for name, tensor in given.columns.items():
        sides = len(tensor.shape or [None])
        kind = _flat_type(name, tensor.kind)
        # The steps of a series are rows, which takes a side away from what has one for them
        for _ in range(sides - 1 - (given.series and _has_steps(tensor))):
            kind = pyarrow.list_(kind)
        fields.append((name, kind))
    names = [name for name, _ in fields]
    for name in names:
        if names.count(name) > 1:
            raise errors.UserError(f"{name}: two columns of the output are called so; see --keep")
    return pyarrow.schema(fields)


def table(
    rows: Sequence[Row], answers: Mapping[str, Any], given: Outputs, columns: pyarrow.Schema
) -> pyarrow.Table:
    """Returns the rows with their answers.

    Args:
        rows: in the order of the request.
        answers: by output.
        given: of `outputs`.
        columns: of `schema`.

    Raises:
        UserError: an output without an answer for each row.
    """
    counts = [given.rows_of(row) for row in rows]
    pairs = list(zip(rows, counts, strict=True))
    found: dict[str, Any] = {
        FILE: [row.file for row, count in pairs for _ in range(count)],
        ROW: [number for row, count in pairs for number in row.numbers(count)],
    }
    kept = [name for name in columns.names if name not in {*found, *given.columns}]
    for at, name in enumerate(kept):
        cells = [row.kept[at] for row in rows]
        found[name] = [cell for column in cells for cell in column] if given.series else cells
    for name, tensor in given.columns.items():
        values = np.asarray(answers[name])
        wanted = (len(rows), counts[0]) if given.series and _has_steps(tensor) else (len(rows),)
        if values.shape[: len(wanted)] != wanted or values.ndim != len(tensor.shape or [None]):
            raise errors.UserError(
                f"signature {given.signature}: {name} has shape {list(values.shape)} for "
                f"{len(rows)} rows; leave it out by --outputs"
            )
        if given.series:
            if _has_steps(tensor):
                values = values.reshape(-1, *values.shape[2:])
            else:
                values = np.repeat(values, counts[0], axis=0)
        found[name] = _column(values, _flat_type(name, tensor.kind))
    return pyarrow.Table.from_arrays(
        [_typed(found[field.name], field.type) for field in columns], schema=columns
    )


def lines(rows: pyarrow.Table) -> Iterator[str]:
    """Yields rows as JSON, one a line; NaN and infinity, which JSON lacks, as null."""
    kinds = {field.name: str(field.type) for field in rows.schema}
    digits = {name: 9 for name, kind in kinds.items() if "float" in kind}
    digits |= {name: 17 for name, kind in kinds.items() if "double" in kind}
    for row in rows.to_pylist():
        for name, count in digits.items():
            row[name] = _rounded(row[name], count)
        yield json.dumps(row, ensure_ascii=False, default=_encoded)


def plain(value: Any) -> Any:
    """Returns an array of names or numbers in a form that JSON has."""
    if isinstance(value, np.ndarray):
        return [plain(each) for each in value.tolist()]
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None  # JSON has no such number
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _has_steps(tensor: Tensor) -> bool:
    return tensor.shape is None or (len(tensor.shape) > 1 and tensor.shape[1] is None)


def _flat_type(name: str, kind: np.dtype) -> Any:
    if kind == np.dtype(object):  # as over REST, where a name says what no text is
        return pyarrow.binary() if name.endswith("_bytes") else pyarrow.string()
    return pyarrow.from_numpy_dtype(kind)


def _typed(cells: Any, kind: Any) -> Any:
    """Returns a column in its type of the schema."""
    return cells.cast(kind) if isinstance(cells, pyarrow.Array) else pyarrow.array(cells, kind)


def _column(values: np.ndarray, kind: Any) -> Any:
    """Returns an array [rows, …] as a column; further sides become lists."""
    if values.ndim == 1:
        if values.dtype != np.dtype(object):
            return pyarrow.array(values)
        if kind == pyarrow.binary():
            return pyarrow.array(values.tolist(), kind)
        return pyarrow.array([text.decode("utf-8", "replace") for text in values], kind)
    count, width = values.shape[:2]
    inner = _column(values.reshape(-1, *values.shape[2:]), kind)
    places = np.arange(0, count * width + 1, width or 1, dtype=np.int32)
    places = places if width else np.zeros(count + 1, np.int32)
    return pyarrow.ListArray.from_arrays(places, inner)


def _rounded(value: Any, digits: int) -> Any:
    """Rounds to the digits of a float32 (nine) or a float64 (seventeen)."""
    if isinstance(value, list):
        return [_rounded(each, digits) for each in value]
    return float(f"{value:.{digits}g}") if value is not None and np.isfinite(value) else None


def _encoded(value: Any) -> Any:
    """Writes values that JSON has no form for: bytes as over REST, times as text."""
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    return str(value)
