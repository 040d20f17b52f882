"""Divides tables into pieces of rows, and reads a piece row by row.

A csv file is read line by line, a parquet file in small batches: neither has to fit into memory. A
bad row is handed over as such, so that the others can be used. The form of a file and its names are
found by `layout`; `cells` says what a cell means.
"""

from __future__ import annotations

import csv
import itertools
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from apps.suite import errors
from apps.suite.tables import layout, reader

_BATCH_ROWS = 1024  # of parquet in memory


class Piece(NamedTuple):
    """Some rows of a table; of media files, a whole file as one row."""

    file: int  # in the job's list
    first_row: int  # counted from 0
    rows: int
    offset: int = 0  # of a csv: the byte where the first row begins, once it is decompressed


def columns(path: str) -> dict[str, Any]:
    """Returns the columns of a file with their types in pyarrow; each column of a csv is text.

    Raises:
        UserError: as `reader.open_table`.
    """
    import pyarrow

    table = reader.open_table(Path(path))
    if not reader.is_parquet(Path(path)):
        return dict.fromkeys(table.names, pyarrow.string())
    with reader.open_parquet(Path(path)) as file:
        return {each.name: _type(each.type) for each in file.schema_arrow}


def pieces(path: str, number: int, rows_per_piece: int | None) -> list[Piece]:
    """Divides all rows of a file, the `number`-th of a job; None puts them into one piece.

    A csv is read from end to end: the place where a row begins cannot be told from its middle.
    Blank lines do not count as rows.

    Raises:
        UserError: as `reader.open_table`, and a quote that is not closed.
    """
    file = Path(path)
    if not reader.is_parquet(file):
        form = layout.of_file(file)
        try:
            with layout.opened(file) as binary:
                layout.check_rows(path, binary, form)
                return _pieces(path, number, _Lines(binary), form, rows_per_piece)
        except (OSError, EOFError, zlib.error):
            raise errors.UserError(f"{path}: cannot be read: damaged, or cut off") from None
    with reader.open_parquet(file) as opened:
        rows = opened.metadata.num_rows
    step = rows_per_piece or max(1, rows)
    return [Piece(number, at, min(step, rows - at)) for at in range(0, rows, step)]


def read(path: str, piece: Piece, columns: list[str]) -> Iterator[tuple[int, list[Any] | str]]:
    """Yields the number of each row, from 1, and the cells of these columns, or its fault.

    Cells of a csv are text, in which bytes that are not UTF-8 are surrogates.
    """
    file = Path(path)
    if reader.is_parquet(file):
        yield from _read_parquet(file, piece, columns)
        return
    form = layout.of_file(file)
    with layout.opened(file) as binary:
        lines = _Lines(binary)
        places = [form.names.index(column) for column in columns]
        lines.go_to(piece.offset)
        rows = (row for row in form.rows(lines) if row)
        for at, row in enumerate(itertools.islice(rows, piece.rows), piece.first_row + 1):
            if len(row) == len(form.names):
                yield at, [row[place] for place in places]
            else:
                yield at, f"has {len(row)} cells, and there are {len(form.names)} columns"


def first_rows(path: str, columns: list[str]) -> Iterator[list[Any]]:
    """Yields the cells of these columns from the first row on, without rows that have a fault."""
    file = Path(path)
    if reader.is_parquet(file):
        with reader.open_parquet(file) as opened:
            rows = opened.metadata.num_rows
        yield from (row for _, row in _read_parquet(file, Piece(0, 0, rows), columns))
        return
    form = layout.of_file(file)
    places = [form.names.index(column) for column in columns]
    with layout.opened(file) as binary:
        rows = (row for row in form.rows(_Lines(binary)) if row)
        next(rows, None)  # the names
        for row in rows:
            if len(row) == len(form.names):
                yield [row[place] for place in places]


def decimal_comma(path: str) -> bool:
    """Returns true if a comma may stand before the decimals in a file."""
    return reader.is_parquet(Path(path)) or layout.of_file(Path(path)).decimal_comma


class _Lines:
    """The lines of a file as text, and the byte up to which they were taken."""

    def __init__(self, binary: IO[bytes]) -> None:
        self._binary = binary
        self.place = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._binary)
        text = line.decode("utf-8-sig" if self.place == 0 else "utf-8", "surrogateescape")
        self.place += len(line)
        return text

    def text_from(self, place: int) -> bytes:
        """Returns the bytes that were taken since `place`, without moving on."""
        self._binary.seek(place)
        found = self._binary.read(self.place - place)
        self._binary.seek(self.place)
        return found

    def go_to(self, place: int) -> None:
        """Moves to a byte where a line begins."""
        self._binary.seek(place)
        self.place = place


def _pieces(
    path: str, number: int, lines: _Lines, form: layout.Layout, rows_per_piece: int | None
) -> list[Piece]:
    for _ in range(form.header_line):
        if "\r" in next(lines).rstrip("\r\n"):
            raise errors.UserError(
                f"{path}: ends its lines with CR alone; save it with LF or CR LF"
            )
    rows, found = form.rows(lines), list[Piece]()
    first, count, begins = 0, 0, lines.place
    before = begins_last = begins
    try:
        for row in rows:
            begins_last = before
            if row:
                if count == rows_per_piece:
                    found.append(Piece(number, first, count, begins))
                    first, count, begins = first + count, 0, before
                count += 1
            before = lines.place
    except csv.Error as error:
        line = form.header_line + rows.line_num
        raise errors.UserError(f"{path}: up to line {line}: {error}; is a quote open?") from error
    last = lines.text_from(begins_last)
    if last.count(b"\n") > 1 and last.count(b'"') % 2:
        line = form.header_line + rows.line_num + 1 - last.count(b"\n")
        raise errors.UserError(f"{path}: line {line}: a quote is opened and never closed")
    return [*found, Piece(number, first, count, begins)] if count else found


def python_values(column: Any) -> list[Any]:
    """Returns a column's cells as Python's values, times to the microsecond."""
    return list(column.cast(_type(column.type), safe=False).to_pylist())


def _type(kind: Any) -> Any:
    """Returns a type with times to the microsecond, as Python has them."""
    import pyarrow

    is_finer = pyarrow.types.is_timestamp(kind) and kind.unit == "ns"
    return pyarrow.timestamp("us", kind.tz) if is_finer else kind


def _read_parquet(path: Path, piece: Piece, columns: list[str]) -> Iterator[tuple[int, list[Any]]]:
    with reader.open_parquet(path) as file:
        counts = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
        begins = [0, *itertools.accumulate(counts)]
        end = piece.first_row + piece.rows
        groups = [
            at
            for at, count in enumerate(counts)
            if begins[at] < end and begins[at] + count > piece.first_row
        ]
        place = begins[groups[0]] if groups else 0
        for batch in file.iter_batches(_BATCH_ROWS, groups, columns):
            skipped = max(0, piece.first_row - place)
            kept = batch.slice(skipped, max(0, min(batch.num_rows, end - place) - skipped))
            arrays = [kept.column(name) for name in columns]
            cells = list(map(python_values, arrays))
            for at, row in enumerate(zip(*cells, strict=True), place + skipped + 1):
                yield at, list(row)
            place += batch.num_rows
            if place >= end:
                return
