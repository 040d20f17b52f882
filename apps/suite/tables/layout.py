"""Finds the form of a csv file: compression, delimiter, quotes, and the line of names."""

from __future__ import annotations

import csv
import gzip
import re
import typing
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from apps.suite import errors
from apps.suite.tables import cells

BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_LONGEST_CELL = 2**26  # characters; a longer cell probably has a quote that is never closed
_DELIMITERS = ",;\t|"
_HEAD_BYTES, _LONGEST_LINE = 2**16, 2**22


class Layout(NamedTuple):
    """The form of a csv file.

    Attributes:
        names: of the columns, without space around them; a column without a name has a number.
        delimiter: between cells.
        has_quotes: true if a cell may stand in double quotes, with delimiters and line ends in it.
        header_line: number of the line of names, from 1; 0 without one.
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
    except (EOFError, zlib.error):
        raise errors.UserError(f"{path}: cannot be read: damaged, or cut off") from None
    return of_bytes(str(path), head, unquoted)


def opened(path: Path) -> IO[bytes]:
    """Opens a csv file, and decompresses it if its name ends in .gz."""
    if is_gzip(path):
        return typing.cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def first_cells(text: str) -> list[str]:
    """Returns the cells of the first line of a csv text that is not blank, or []."""
    _, line = _first_line_of(text)
    return [cell.strip() for cell in next(csv.reader([line], delimiter=_delimiter(line)), [])]


def is_gzip(path: Path) -> bool:
    """Returns true for the name of a compressed file."""
    return path.name.lower().endswith(".gz")


def of_bytes(source: str, head: bytes, unquoted: bool = False) -> Layout:
    """Returns the form of a csv file that begins with `head`; raises UserError as `of_file`."""
    if head.startswith(BYTE_ORDER_MARKS):
        raise errors.UserError(f"{source}: is UTF-16; save it as UTF-8")
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
    if not unquoted and _without_quoted(first).count('"'):
        raise errors.UserError(f"{source}: line {line}: a quote is opened and never closed")
    delimiter = "\t" if unquoted else _delimiter(first)
    names = [name.strip() for name in next(_reader([first], delimiter, not unquoted))]
    if cells.are_data(names):
        raise errors.UserError(
            f"{source}: line {line} holds numbers; put a line of names before it"
        )
    names = [name or f"column_{at}" for at, name in enumerate(names, 1)]
    return Layout(check_names(source, names), delimiter, not unquoted, line)


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
