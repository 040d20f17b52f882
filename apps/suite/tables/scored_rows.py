"""Rows of csv, tsv and parquet files: counted, divided into pieces, and read a piece at a time.

A csv is read line by line, a parquet file in small batches: neither has to fit into memory.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from apps.suite import errors

_LONGEST_CELL = 1 << 26  # characters; beyond it a quote was probably left open
_BATCH_ROWS = 1024  # of parquet in memory


class Piece(NamedTuple):
    """Some rows of a table; of media files, a whole file as one row."""

    file: int  # in the job's list
    first_row: int  # counted from 0
    rows: int
    offset: int = 0  # of a csv: the byte where the first row begins


def columns(path: str) -> dict[str, Any]:
    """The columns of a file with their types in pyarrow; every column of a csv is text.

    Raises:
        UserError: no header, columns of one name, no parquet file.
    """
    import pyarrow

    if Path(path).suffix.lower() == ".parquet":
        with _parquet(path) as file:
            schema = file.schema_arrow
        _check_columns(path, schema.names)
        return {each.name: _type(each.type) for each in schema}
    with Path(path).open("rb") as binary:
        return dict.fromkeys(_header(path, _Lines(binary)), pyarrow.string())


def pieces(path: str, number: int, rows_per_piece: int | None) -> list[Piece]:
    """All rows of a file, the `number`-th of a job, in pieces; None puts them into one.

    A csv is read from end to end: where a row begins cannot be told from its middle. Blank lines
    are no rows. Raises UserError for a quote that is not closed.
    """
    if Path(path).suffix.lower() != ".parquet":
        with Path(path).open("rb") as binary:
            lines = _Lines(binary)
            _header(path, lines)
            return _pieces(path, number, lines, rows_per_piece)
    with _parquet(path) as file:
        rows = file.metadata.num_rows
    step = rows_per_piece or max(1, rows)
    return [Piece(number, at, min(step, rows - at)) for at in range(0, rows, step)]


def read(path: str, piece: Piece, columns: list[str]) -> Iterator[tuple[int, list[Any] | str]]:
    """Row numbers, counted from 1, and the cells of these columns; or what is wrong with a row.

    Cells of a csv are text, in which bytes that are not UTF-8 are surrogates.
    """
    if Path(path).suffix.lower() == ".parquet":
        yield from _read_parquet(path, piece, columns)
        return
    with Path(path).open("rb") as binary:
        lines = _Lines(binary)
        header = _header(path, lines)
        places = [header.index(column) for column in columns]
        lines.go_to(piece.offset)
        rows = (row for row in _reader(path, lines) if row)
        for at, row in enumerate(itertools.islice(rows, piece.rows), piece.first_row + 1):
            if len(row) == len(header):
                yield at, [row[place] for place in places]
            else:
                yield at, f"has {len(row)} cells, and the header {len(header)}"


class _Lines:
    """The lines of a file as text, and the byte up to which they were taken."""

    def __init__(self, binary: BinaryIO) -> None:
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
        """What was taken since `place`, without moving on."""
        self._binary.seek(place)
        found = self._binary.read(self.place - place)
        self._binary.seek(self.place)
        return found

    def go_to(self, place: int) -> None:
        self._binary.seek(place)
        self.place = place


def _reader(path: str, lines: _Lines) -> Any:
    csv.field_size_limit(_LONGEST_CELL)
    return csv.reader(lines, delimiter="\t" if Path(path).suffix.lower() == ".tsv" else ",")


def _header(path: str, lines: _Lines) -> list[str]:
    try:
        columns: list[str] = next(_reader(path, lines), [])
    except csv.Error as error:
        raise errors.UserError(f"{path}, line 1: {error}") from error
    if not columns:
        raise errors.UserError(f"{path}: line 1 has to name the columns, and is empty")
    if any("\ud800" <= sign <= "\udfff" for column in columns for sign in column):
        raise errors.UserError(f"{path}, line 1: is not UTF-8; convert the file")
    _check_columns(path, columns)
    return columns


def _check_columns(path: str, columns: list[str]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise errors.UserError(f"{path}: two columns are called {twice[0]!r}; rename one")


def _pieces(path: str, number: int, lines: _Lines, rows_per_piece: int | None) -> list[Piece]:
    reader, found = _reader(path, lines), list[Piece]()
    first, count, begins = 0, 0, lines.place
    before = begins_last = begins
    try:
        for row in reader:
            begins_last = before
            if row:
                if count == rows_per_piece:
                    found.append(Piece(number, first, count, begins))
                    first, count, begins = first + count, 0, before
                count += 1
            before = lines.place
    except csv.Error as error:
        line = reader.line_num + 1
        raise errors.UserError(f"{path}, up to line {line}: {error}; is a quote open?") from error
    last = lines.text_from(begins_last)
    if last.count(b"\n") > 1 and last.count(b'"') % 2:
        line = reader.line_num + 2 - last.count(b"\n")
        raise errors.UserError(f"{path}, line {line}: a quote is opened and never closed")
    return [*found, Piece(number, first, count, begins)] if count else found


def _parquet(path: str) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path, pre_buffer=False)
    except (pyarrow.ArrowException, OSError) as error:
        told = f"{path}: is no parquet file, or a damaged one ({' '.join(str(error).split())})"
        raise errors.UserError(told) from error


def _type(kind: Any) -> Any:
    """Times to the microsecond, as Python has them, in place of the nanosecond."""
    import pyarrow

    is_finer = pyarrow.types.is_timestamp(kind) and kind.unit == "ns"
    return pyarrow.timestamp("us", kind.tz) if is_finer else kind


def _read_parquet(path: str, piece: Piece, columns: list[str]) -> Iterator[tuple[int, list[Any]]]:
    with _parquet(path) as file:
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
            cells = [array.cast(_type(array.type), safe=False).to_pylist() for array in arrays]
            for at, row in enumerate(zip(*cells, strict=True), place + skipped + 1):
                yield at, list(row)
            place += batch.num_rows
            if place >= end:
                return
