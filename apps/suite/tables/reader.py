"""Reads csv and parquet files in blocks of rows, so that a file may be larger than memory.

Every table of the project is read here: for training, for `predict`, for bulk scoring and for the
demo page. The delimiter is a comma, a semicolon, a tab or `|`, found in the line of names. Cells of
a csv file are text, which `cells` and `times` interpret; columns of a parquet file have types.
"""

from __future__ import annotations

import csv
import io
import re
import typing
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.tables import cells, layout

if typing.TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".pq")
_BLOCK_BYTES = 2**22
_BLOCK_NUMBERS = 2**18  # of a parquet file
_GZIP_RATIO = 5  # of text to its compressed form, about


@dataclass(frozen=True)
class Table:
    """A table that can be read, as often as needed.

    Attributes:
        source: the file, for messages.
        names: of the columns.
        size_bytes: memory that the rows would take, about.
    """

    source: str
    names: tuple[str, ...]
    size_bytes: int
    reading: Callable[[Sequence[str]], Iterator[cells.Block]]

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[cells.Block]:
        """Yields the rows, of these columns or of all.

        Raises:
            UserError: a row with too few or too many cells, an open quote, or text that is not
                UTF-8.
        """
        return self.reading(self.names if columns is None else columns)


def suffix(path: Path) -> str:
    """Returns the one of `SUFFIXES` that a file's name ends in, or ""."""
    return next((each for each in SUFFIXES if path.name.lower().endswith(each)), "")


def is_parquet(path: Path) -> bool:
    """Returns true for the name of a parquet file."""
    return suffix(path) in (".parquet", ".pq")


def open_table(path: Path, unquoted: bool = False, decimal_mark: str = "") -> Table:
    """Reads the names of a file's columns; its rows come from `Table.blocks`.

    Args:
        path: of the file; a name that ends in .parquet or .pq means parquet, any other csv.
        unquoted: true if a double quote is a letter like others.
        decimal_mark: "." or "," in cells of text; "" if they show it.

    Raises:
        UserError: no such file, a file that is not a table, no name for any column, or two columns
            of one name.
    """
    if is_parquet(path):
        return _open_parquet(path, decimal_mark)
    form = layout.of_file(path, unquoted)
    size = path.stat().st_size * (_GZIP_RATIO if layout.is_gzip(path) else 1)
    return _text_table(_Text(str(path), path), form, size, decimal_mark)


def open_text(
    text: str, names: Sequence[str] | None = None, source: str = "csv", decimal_mark: str = ""
) -> Table:
    """Reads the names of the columns of a csv text.

    Args:
        text: the content of a csv file.
        names: of the columns, if the text has no line of them.
        source: name of the text in messages.
        decimal_mark: as `open_table` takes it.

    Raises:
        UserError: as `open_table`.
    """
    content = text.encode()
    form = layout.of_bytes(source, content) if names is None else layout.headless(text, names)
    return _text_table(_Text(source, content), form, len(content), decimal_mark)


def as_text(path: Path) -> str:
    """Returns a whole file as csv text; a parquet file is converted.

    Raises:
        UserError: a file that cannot be read, or that is not UTF-8 text.
    """
    try:
        if is_parquet(path):
            return _parquet_as_text(path)
        with layout.opened(path) as file:
            content = file.read()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        raise errors.UserError(f"{path.name}: cannot be read: damaged, or cut off") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise errors.UserError(f"{path.name}: is not UTF-8; save it as UTF-8") from None
    if "\0" in text:
        raise errors.UserError(f"{path.name}: is binary, not a table in text")
    if not text.strip():
        raise errors.UserError(f"{path.name}: is empty")
    return text


class _Text(NamedTuple):
    """A csv file or a text that is read again and again."""

    name: str  # for messages
    content: Path | bytes

    def opened(self) -> IO[bytes]:
        """Opens it for Python."""
        content = self.content
        return io.BytesIO(content) if isinstance(content, bytes) else layout.opened(content)

    def stream(self) -> Any:
        """Opens it for Arrow, which reads ahead."""
        import pyarrow as pa

        if isinstance(self.content, bytes):
            return pa.BufferReader(self.content)
        if layout.is_utf_16(self.content):
            return layout.opened(self.content)
        return pa.input_stream(str(self.content), "gzip" if layout.is_gzip(self.content) else None)


def _text_table(text: _Text, form: layout.Layout, size: int, decimal_mark: str) -> Table:
    is_checked = False

    def blocks(columns: Sequence[str]) -> Iterator[cells.Block]:
        nonlocal is_checked
        if not is_checked:
            _check_quotes(text, form)
            is_checked = True
        marks: dict[str, str] = {}
        for row, chosen, line_of in _text_blocks(text, form, columns):
            yield cells.Block(
                text.name, row, chosen, form.decimal_comma, line_of, decimal_mark, marks
            )

    return Table(text.name, form.names, size, blocks)


def _text_blocks(
    text: _Text, form: layout.Layout, columns: Sequence[str]
) -> Iterator[tuple[int, dict[str, pa.Array], Callable[[int], int]]]:
    """Yields the number of the first row, the columns, and the line of a row."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    def line_of(row: int) -> int:
        return _line_of(text, form, row)

    row = 1
    last = form.names[-1]
    needed = list(dict.fromkeys([*columns, last]))
    batch = None
    try:
        with text.stream() as file:
            reader = arrow_csv.open_csv(
                file,
                arrow_csv.ReadOptions(
                    use_threads=False,
                    block_size=_BLOCK_BYTES,
                    column_names=form.names,
                    skip_rows=form.header_line,
                ),
                arrow_csv.ParseOptions(
                    delimiter=form.delimiter,
                    quote_char='"' if form.has_quotes else False,
                    newlines_in_values=form.has_quotes,
                    ignore_empty_lines=not form.has_blank_rows,
                ),
                arrow_csv.ConvertOptions(
                    include_columns=needed,
                    column_types=dict.fromkeys(needed, pa.string()),
                    strings_can_be_null=False,
                ),
            )
            batches = _without_last_blanks(reader) if form.has_blank_rows else reader
            for batch in batches:
                chosen = {name: batch.column(name) for name in columns}
                yield row, chosen, line_of
                row += batch.num_rows
    except pa.ArrowInvalid as error:
        told = str(error)
        if "Empty CSV" in told:
            return
        wrong = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", told)
        if wrong:
            at, expected, got = map(int, wrong.groups())
            advice = "; is a quote open?" if "\n" in told.rstrip() else ""
            raise errors.UserError(
                f"{text.name}: line {line_of(at - form.header_line)}: {got} cells, and there are "
                f"{expected} columns{advice}"
            ) from None
        if "UTF8" in told:
            line = _first_not_utf8(text) or line_of(row)
            raise errors.UserError(
                f"{text.name}: line {line} is not UTF-8; save the file as UTF-8"
            ) from None
        if "straddling" in told:
            told = f"a row is longer than {_BLOCK_BYTES:,} bytes; is a quote open?"
        raise errors.UserError(
            f"{text.name}: after line {line_of(row) - 1}: {told[:200]}"
        ) from None
    except (OSError, EOFError) as error:
        raise errors.UserError(f"{text.name}: cannot be read: {_first_line(error)}") from None
    if batch is not None and batch.num_rows and "\n" in batch.column(last)[-1].as_py():
        _check_closed(text, line_of(row - 1))


def _line_of(text: _Text, form: layout.Layout, row: int) -> int:
    """Returns the line at which a row of data begins, both from 1; reads the file again."""
    with text.opened() as file:
        lines = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
        for _ in range(form.header_line):
            next(lines)
        rows, line = form.rows(lines), 0
        try:
            for cells_of_row in rows:
                row -= bool(cells_of_row) or form.has_blank_rows
                if not row:
                    break
                line = rows.line_num
        except csv.Error:
            pass
        return form.header_line + line + 1


def _without_last_blanks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yields the rows of one column without those at the end of the file that are blank."""
    import pyarrow as pa
    import pyarrow.compute as pc

    blanks = 0  # rows that wait for one that is not blank
    for batch in batches:
        column = batch.column(0)
        filled = np.flatnonzero(
            pc.not_equal(pc.utf8_trim_whitespace(column), "").to_numpy(zero_copy_only=False)
        )
        if not len(filled):
            blanks += batch.num_rows
            continue
        kept = column[: int(filled[-1]) + 1]
        if blanks:
            kept = pa.concat_arrays([pa.array([""] * blanks, pa.string()), kept])
        blanks = batch.num_rows - int(filled[-1]) - 1
        yield pa.RecordBatch.from_arrays([kept], [batch.schema.names[0]])


def _check_quotes(text: _Text, form: layout.Layout) -> None:
    """Raises UserError where a quoted cell holds rows; see `layout.check_rows`."""
    try:
        with text.opened() as file:
            layout.check_rows(text.name, file, form)
    except (OSError, EOFError, zlib.error):
        return  # told where the rows are read


def _first_not_utf8(text: _Text) -> int:
    """Returns the number of the first line that is not UTF-8, from 1; 0 without one."""
    with text.opened() as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 0


def _check_closed(text: _Text, line: int) -> None:
    """Raises UserError if the last cell, which holds line ends, does not end with its quote."""
    end = b""
    with text.opened() as file:
        while part := file.read(_BLOCK_BYTES):
            end = (end + part)[-1024:]
    if not end.rstrip().endswith(b'"'):
        raise errors.UserError(f"{text.name}: line {line}: a quote is opened and never closed")


def open_parquet(path: Path) -> Any:
    """Opens a parquet file; raises UserError if it is not one."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path, pre_buffer=False)
    except OSError as error:
        if error.strerror and not isinstance(error, pa.ArrowException):
            told = f"cannot be read: {error.strerror}"
        else:
            told = f"is not a valid parquet file: {_first_line(error)}"
        raise errors.UserError(f"{path}: {told}") from None
    except pa.ArrowException as error:
        raise errors.UserError(
            f"{path}: is not a valid parquet file: {_first_line(error)}"
        ) from None


def _open_parquet(path: Path, decimal_mark: str) -> Table:
    with open_parquet(path) as file:
        names = layout.check_names(str(path), file.schema_arrow.names)
        size = file.metadata.num_rows * len(names) * 8

    def blocks(columns: Sequence[str]) -> Iterator[cells.Block]:
        row = 1
        chosen = list(columns)
        marks: dict[str, str] = {}
        with open_parquet(path) as file:
            rows = max(1, _BLOCK_NUMBERS // max(1, len(chosen)))
            for batch in file.iter_batches(rows, columns=chosen, use_threads=False):
                arrays = {name: _plain(batch.column(name)) for name in chosen}
                yield cells.Block(str(path), row, arrays, decimal_mark=decimal_mark, marks=marks)
                row += batch.num_rows

    return Table(str(path), names, size, blocks)


def _parquet_as_text(path: Path) -> str:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    written = io.BytesIO()
    with open_parquet(path) as file:
        table = file.read()
    for at, field in enumerate(table.schema):
        if pa.types.is_boolean(field.type):  # numbers, as everywhere
            table = table.set_column(at, field.name, table.column(at).cast(pa.int8()))
    try:
        arrow_csv.write_csv(table, written)
    except pa.ArrowException as error:
        raise errors.UserError(
            f"{path.name}: cannot be shown as csv: {_first_line(error)}"
        ) from None
    return written.getvalue().decode()


def _plain(column: pa.Array) -> pa.Array:
    """Returns a column without a dictionary, and with text in the type that a csv file has."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        column = column.cast(pa.string())
    return column


def _first_line(error: BaseException | str) -> str:
    return str(error).partition("\n")[0][:200]
