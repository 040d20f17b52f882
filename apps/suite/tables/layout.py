"""Finds the form of a csv file: compression, delimiter, quotes, and the line of names."""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import tempfile
import typing
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from apps.suite import errors
from apps.suite.tables import cells

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LONGEST_CELL = 2**26  # characters; a longer cell probably has a quote that is never closed
_DELIMITERS = ",;\t|"
_HEAD_BYTES, _LONGEST_LINE = 2**16, 2**22
_MOST_NAME_LINES = 50


class Layout(NamedTuple):
    """The form of a csv file.

    Attributes:
        names: of the columns, without space around them; a column without a name has a number.
        delimiter: between cells.
        has_quotes: true if a cell may stand in double quotes, with delimiters and line ends in it.
        header_line: number of the last line of the names, from 1; 0 without one.
    """

    names: tuple[str, ...]
    delimiter: str
    has_quotes: bool
    header_line: int

    @property
    def decimal_comma(self) -> bool:
        """Returns True if a comma may stand before the decimals, as it does not separate cells."""
        return self.delimiter != ","

    def rows(self, lines: Iterator[str]) -> Any:
        """Returns a `csv.reader` of lines in this form."""
        csv.field_size_limit(_LONGEST_CELL)
        return _reader(lines, self.delimiter, self.has_quotes)

    @property
    def has_blank_rows(self) -> bool:
        """Returns true if a blank line is a row: an empty cell of the only column."""
        return len(self.names) == 1


def of_file(path: Path, unquoted: bool = False) -> Layout:
    """Returns the form of a csv file.

    Args:
        path: of the file.
        unquoted: true if a double quote is a letter like others, as in .inter files.

    Raises:
        UserError: a file that cannot be read, is not text, or has no names for its columns.
    """
    try:
        with opened(path) as file:
            head = file.read(_HEAD_BYTES) + file.readline(_LONGEST_LINE)
    except OSError as error:
        raise errors.UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (EOFError, zlib.error, UnicodeDecodeError):
        raise errors.UserError(f"{path}: cannot be read: damaged, or cut off") from None
    return of_bytes(str(path), head, unquoted)


def opened(path: Path) -> IO[bytes]:
    """Opens a csv file in UTF-8; decompresses it if its name ends in .gz, and decodes UTF-16."""
    file = _bytes_of(path)
    try:
        is_utf_16 = file.read(2) in _UTF_16
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return _in_utf_8(file) if is_utf_16 else file


def _bytes_of(path: Path) -> IO[bytes]:
    return typing.cast(IO[bytes], gzip.open(path)) if is_gzip(path) else path.open("rb")


def is_utf_16(path: Path) -> bool:
    """Returns true for a file that begins with a byte order mark of UTF-16."""
    with _bytes_of(path) as file:
        return file.read(2) in _UTF_16


def _in_utf_8(file: IO[bytes]) -> IO[bytes]:
    """Returns a file of UTF-16 as one of UTF-8 without a name, in which places can be sought."""
    written = typing.cast(IO[bytes], tempfile.TemporaryFile())  # noqa: SIM115  (the caller's)
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        with file:
            while part := file.read(_HEAD_BYTES):
                written.write(decoder.decode(part).encode())
        decoder.decode(b"", final=True)  # refuses a file that is cut off
    except BaseException:
        written.close()
        raise
    written.seek(0)
    return written


def first_cells(text: str) -> list[str]:
    """Returns the cells of the first line of a csv text that is not blank, or []."""
    _, line = _first_line_of(text)
    return [cell.strip() for cell in next(csv.reader([line], delimiter=_delimiter(line)), [])]


def is_gzip(path: Path) -> bool:
    """Returns true for the name of a compressed file."""
    return path.name.lower().endswith(".gz")


def of_bytes(source: str, head: bytes, unquoted: bool = False) -> Layout:
    """Returns the form of a csv file that begins with `head`; raises UserError as `of_file`."""
    # The cut may fall into a character, never into the line of names
    text = head.decode(errors="surrogateescape").lstrip("\ufeff")
    line, first = _first_line_of(text)
    if not first:
        raise errors.UserError(f"{source}: empty; give a table with a line of column names")
    try:
        first.encode()
    except UnicodeEncodeError:
        raise errors.UserError(
            f"{source}: line {line} is not UTF-8; save the file as UTF-8"
        ) from None
    if "\0" in first:
        raise errors.UserError(f"{source}: binary, not a table in text")
    if not unquoted and _is_open(first):
        first, line = _with_following(source, text, line)
    delimiter = "\t" if unquoted else _delimiter(first)
    rows = _reader(first.splitlines(keepends=True), delimiter, not unquoted)
    names = [re.sub(r"\s*[\r\n]+\s*", " ", name.strip()) for name in next(rows)]
    if are_data(names):
        raise errors.UserError(f"{source}: line {line} holds values; put a line of names before it")
    names = [name or f"column_{at}" for at, name in enumerate(names, 1)]
    return Layout(check_names(source, names), delimiter, not unquoted, line)


def are_data(texts: Sequence[str]) -> bool:
    """Returns true for a line of numbers and times, or with a moment of a day in it."""
    from apps.suite.tables import times

    if cells.are_data(texts):
        return True
    moments = [times.is_time(text) for text in texts]
    if any(is_moment and ":" in text for is_moment, text in zip(moments, texts, strict=True)):
        return True
    return any(moments) and all(
        is_moment or cells.is_number(text) or cells.is_missing(text)
        for is_moment, text in zip(moments, texts, strict=True)
    )


def _is_open(line: str) -> bool:
    return '"' in _without_quoted(line)


def _with_following(source: str, text: str, line: int) -> tuple[str, int]:
    """Returns names with line breaks in quotes, and the number of their last line.

    Raises:
        UserError: a quote that is not closed within some lines.
    """
    lines = text.splitlines(keepends=True)[line - 1 : line - 1 + _MOST_NAME_LINES]
    for count in range(2, len(lines) + 1):
        first = "".join(lines[:count]).rstrip("\r\n")
        if not _is_open(first):
            return first, line + count - 1
    raise errors.UserError(f"{source}: line {line}: a quote is opened and never closed")


def _reader(lines: Iterable[str], delimiter: str, has_quotes: bool) -> Any:
    if has_quotes:
        return csv.reader(lines, delimiter=delimiter)
    return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)


def headless(text: str, names: Sequence[str]) -> Layout:
    """Returns the form of a csv text without a line of names."""
    return Layout(tuple(names), _delimiter(_first_line_of(text)[1]), True, 0)


def _first_line_of(text: str) -> tuple[int, str]:
    """Returns number and text of the first line that is not blank; "" without one."""
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        if line.strip():
            return number, line
    return 0, ""


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=_without_quoted(line).count)


def _without_quoted(line: str) -> str:
    """Returns a line without its quoted cells; a quote that is left opens a cell that goes on."""
    bare = re.sub(r'(^|[,;\t|])"(?:[^"]|"")*"', r"\1", line)
    return re.sub(r'([^,;\t|])"', r"\1", bare)  # in the middle of a cell: a letter


def check_names(source: str, names: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of columns; UserError if two are alike."""
    seen = set[str]()
    for name in names:
        if name in seen:
            raise errors.UserError(f"{source}: two columns are named {name!r}; rename one")
        seen.add(name)
    return tuple(names)


def check_rows(source: str, file: IO[bytes], form: Layout) -> None:
    """Checks that no quoted cell holds rows, and moves back to the file's beginning.

    A row of the file inside a cell has as many cells as there are columns, and numbers or times
    where the first row has them. Only files with a line of an odd number of quotes are looked at
    closely; most have none.

    Raises:
        UserError: a quote that swallows rows, named by its line.
    """
    if not form.has_quotes:
        return
    has_odd = any(line.count(b'"') % 2 for line in file)
    file.seek(0)
    if not has_odd:
        return
    try:
        _check_rows(source, file, form)
    finally:
        file.seek(0)


def _check_rows(source: str, file: IO[bytes], form: Layout) -> None:
    texts = (line.decode("utf-8-sig", "surrogateescape") for line in file)
    for _ in range(form.header_line):
        next(texts, None)
    rows = form.rows(texts)
    usual: list[bool] | None = None
    before = 0
    try:
        for row in rows:
            if rows.line_num > before + 1:
                _check_cells(source, row, usual, form, form.header_line + before + 1)
            elif usual is None and len(row) == len(form.names):
                usual = [_is_value(cell) for cell in row]
            before = rows.line_num
    except csv.Error as error:
        line = form.header_line + before + 1
        raise errors.UserError(f"{source}: line {line}: {error}; is a quote open?") from None


def _check_cells(
    source: str, row: Sequence[str], usual: list[bool] | None, form: Layout, line: int
) -> None:
    for cell in row:
        inside = cell.splitlines()
        for text in inside[1:]:
            values: list[str] = next(_reader([text], form.delimiter, has_quotes=False), [])
            alike = usual or [True] * len(form.names)
            if len(values) == len(form.names) and any(
                of_row and _is_value(value) for of_row, value in zip(alike, values, strict=True)
            ):
                raise errors.UserError(
                    f"{source}: line {line}: a quote is opened and never closed in its row, so "
                    "that rows stand inside it; close it, or double it if it is a letter"
                )
        line += max(0, len(inside) - 1)


def _is_value(text: str) -> bool:
    from apps.suite.tables import times

    return cells.is_number(text) or times.is_time(text)
