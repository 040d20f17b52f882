"""Csv and parquet files in blocks of rows, so that a file may be larger than memory."""

from __future__ import annotations

import csv
import re
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from apps.suite import errors
from apps.suite.tables import cells

if typing.TYPE_CHECKING:
    import pyarrow as pa


SUFFIXES = (".csv", ".tsv", ".csv.gz", ".parquet", ".pq")
MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "-", "?")
_BLOCK_BYTES = 2**22
_BLOCK_NUMBERS = 2**18  # of a parquet file
_GZIP_RATIO = 5  # of text and its compressed form, about
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Block(NamedTuple):
    """Some rows that follow each other."""

    path: Path
    unit: str  # of `first`: "line" of a text file, "row" of another
    first: int  # number of its first row there
    columns: dict[str, pa.Array]  # text in a csv file, typed in a parquet file; null where missing

    def place(self, row: int) -> str:
        """Where a row of the block stands, for messages."""
        return f"{self.path}: {self.unit} {self.first + row}"


class Table(NamedTuple):
    """A file, its columns' names, about how many bytes it would take in memory, and its rows."""

    path: Path
    names: tuple[str, ...]
    size_bytes: int
    blocks: Callable[[], Iterator[Block]]


def suffix(path: Path) -> str:
    """The one of `SUFFIXES` that a file's name ends in, or ""."""
    return next((each for each in SUFFIXES if path.name.lower().endswith(each)), "")


def open_table(path: Path) -> Table:
    """Reads what the file says of itself; its rows come from `blocks`.

    Raises:
        UserError: no such file, no table, no name for a column, or two columns of one name; while
            the blocks are read, a row with too few or too many fields.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise errors.UserError(f"{path}: cannot be read: {error.strerror}") from None
    if not start:
        raise errors.UserError(f"{path}: empty; give a table with a line of column names")
    if start.startswith(_BYTE_ORDER_MARKS):
        raise errors.UserError(f"{path}: is UTF-16; save it as UTF-8")
    return _open_parquet(path) if suffix(path) in (".parquet", ".pq") else _open_csv(path)


def _open_csv(path: Path) -> Table:
    import pyarrow as pa

    try:
        with pa.input_stream(str(path)) as stream:
            head = stream.read(2**16)
    except (OSError, pa.ArrowInvalid) as error:
        raise errors.UserError(f"{path}: cannot be read: {_first_line(error)}") from None
    try:
        # The cut may fall into a character, never into the first line of a table.
        first = head.decode(errors="surrogateescape").lstrip("\ufeff").splitlines()[0]
        first.encode()
    except UnicodeEncodeError:
        raise errors.UserError(f"{path}: line 1 is not UTF-8; save the file as UTF-8") from None
    if "\0" in first:
        raise errors.UserError(f"{path}: binary, not a table in text")
    delimiter = max(",;\t|", key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter))]
    if all(cells.is_number(name) for name in names):
        raise errors.UserError(f"{path}: line 1 holds numbers; put a line of names before it")
    known = _checked(path, [name or f"column_{at}" for at, name in enumerate(names, 1)])
    size = path.stat().st_size * (1 if suffix(path) != ".csv.gz" else _GZIP_RATIO)
    return Table(path, known, size, lambda: _csv_blocks(path, list(known), delimiter))


def _csv_blocks(path: Path, names: list[str], delimiter: str) -> Iterator[Block]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    line = 2
    try:
        reader = arrow_csv.open_csv(
            str(path),
            arrow_csv.ReadOptions(
                use_threads=False, block_size=_BLOCK_BYTES, column_names=names, skip_rows=1
            ),
            arrow_csv.ParseOptions(delimiter=delimiter),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=MISSING,
                strings_can_be_null=True,
            ),
        )
        for batch in reader:
            yield Block(path, "line", line, dict(zip(names, batch.columns, strict=True)))
            line += batch.num_rows
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return
        wrong = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", str(error))
        if wrong:
            at, expected, got = wrong.groups()
            raise errors.UserError(
                f"{path}: line {at}: {got} fields where line 1 names {expected} columns"
            ) from None
        if "UTF8" in str(error):
            raise errors.UserError(
                f"{path}: not UTF-8 at or after line {line}; save the file as UTF-8"
            ) from None
        raise errors.UserError(f"{path}: after line {line - 1}: {_first_line(error)}") from None


def _open_parquet(path: Path) -> Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise errors.UserError(f"{path}: no parquet file: {_first_line(error)}") from None
    names = _checked(path, file.schema_arrow.names)
    size = file.metadata.num_rows * len(names) * 8

    def blocks() -> Iterator[Block]:
        row = 1
        with parquet.ParquetFile(path) as file:
            rows = max(1, _BLOCK_NUMBERS // len(names))
            for batch in file.iter_batches(rows, use_threads=False):
                yield Block(path, "row", row, dict(zip(names, batch.columns, strict=True)))
                row += batch.num_rows

    return Table(path, names, size, blocks)


def _checked(path: Path, names: list[str]) -> tuple[str, ...]:
    for at, name in enumerate(names):
        if name in names[:at]:
            raise errors.UserError(f"{path}: two columns are named {name}; rename one")
    return tuple(names)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
