"""Reads the rows of tables with a source and its target, as people and spreadsheets save them.

Columns are found by the names of a first line, `source`, `target` and `part` or the languages, or
else by their order; columns of numbers alone are left out then. A spreadsheet writes a cell with a
quotation mark, a tab or a line end between quotation marks; in a table that was saved otherwise
these marks are part of the text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from apps.suite import errors

PARTS = {
    "train": "train", "training": "train", "valid": "validation", "validation": "validation",
    "dev": "validation", "val": "validation", "test": "test", "testing": "test",
}  # fmt: skip
_NAMES = {"source": "source", "target": "target", "part": "part", "split": "part"}
_SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
_QUOTED = ('"\t\n', '"\t\n,')  # signs that spreadsheets quote a cell for
_CHANCE = 2  # cells with a comma that people may have put between quotation marks
_SAMPLE = 100  # lines by which a separator is found


class Row(NamedTuple):
    """Cells of a row, and the number of its last line."""

    line: int
    cells: list[str]


def read(path: Path, text: str, languages: tuple[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields place, and source, target and part ("" without), of each row that is not empty.

    Args:
        path: of the file, for its kind and for errors.
        text: of the file.
        languages: names of the columns of sources and targets, "" where they need not be told.

    Raises:
        UserError: what is not csv, a row with too few columns, a column that is missing.
    """
    is_csv = path.name.lower().removesuffix(".gz").endswith(".csv")
    separator = _separator(text) if is_csv else "\t"
    rows = _cells(path, text, separator) if is_csv else _tabbed(text)
    rows = [row for row in rows if any(cell.strip() for cell in row.cells)]
    if not rows:
        return
    places, has_header = _places(path, rows, languages)
    needed = max(places["source"], places["target"]) + 1
    for line, cells in rows[has_header:]:
        if len(cells) < needed:
            raise errors.UserError(
                f"{path}:{line}: has {len(cells)} column{'s' * (len(cells) != 1)}, and source and "
                f"target are separated by {_SEPARATORS[separator]}; write both, or remove the line"
            )
        named = {name: cells[at] for name, at in places.items() if at < len(cells)}
        yield f"{path}:{line}", {"part": ""} | named


def _places(
    path: Path, rows: Sequence[Row], languages: tuple[str, str]
) -> tuple[dict[str, int], bool]:
    """Returns the place of each column, and whether the first row names them."""
    first = [cell.strip().lower() for cell in rows[0].cells]
    wanted = [
        code.lower() if code.lower() in first else name
        for code, name in zip(languages, ("source", "target"), strict=True)
    ]
    known = _NAMES | dict(zip(wanted, ("source", "target"), strict=True))
    named = {known[cell]: at for at, cell in enumerate(first) if cell in known}
    if {"source", "target"} <= named.keys():
        return named, True
    if any(languages) and named.keys() & {"source", "target"}:
        lacking = next(name for name in wanted if name not in first)
        raise errors.UserError(
            f"{path}:{rows[0].line}: has no column {lacking!r}; there are {', '.join(first)}: name "
            "two by --data_format.source_language and --data_format.target_language"
        )
    texts = [at for at in range(len(first)) if any(_has_letters(row, at) for row in rows[1:])]
    if len(texts) < 2:  # words for numbers, or a table of one row
        texts = [0, 1, 2]
    has_header = len(rows) > 1 and any(
        _has_letters(rows[0], at) for at in range(texts[1]) if at not in texts
    )
    found = {"source": texts[0], "target": texts[1]}
    for at in texts[2:3]:
        cells = {row.cells[at].strip().lower() for row in rows if len(row.cells) > at}
        if cells and cells <= PARTS.keys():
            found["part"] = at
    return found, has_header


def _has_letters(row: Row, at: int) -> bool:
    return len(row.cells) > at and any(map(str.isalpha, row.cells[at]))


def _separator(text: str) -> str:
    """Returns the sign that cuts the first lines of a csv file into equal numbers of columns."""
    lines = text.split("\n", _SAMPLE)[:_SAMPLE]

    def is_even(sign: str) -> bool:
        try:
            counts = {len(row) for row in csv.reader(lines, delimiter=sign) if row}
        except csv.Error:  # a cell that is too long
            return False
        return len(counts) == 1 and min(counts) > 1

    fits = [sign for sign in _SEPARATORS if is_even(sign)]
    return next(iter(fits or [sign for sign in _SEPARATORS if sign in lines[0]]), ",")


def _cells(path: Path, text: str, separator: str) -> list[Row]:
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    rows: list[Row] = []
    try:
        rows.extend(Row(reader.line_num, row) for row in reader)
    except csv.Error as error:
        raise errors.UserError(
            f"{path}:{reader.line_num}: is not csv: {error}; save the table as csv again"
        ) from None
    return rows


def _tabbed(text: str) -> list[Row]:
    """Returns the rows of a table with tabs, unquoted where a spreadsheet has quoted them."""
    plain = [Row(at, line.split("\t")) for at, line in enumerate(text.split("\n"), 1)]
    if '"' not in text:
        return plain
    try:
        rows = _cells(Path(), text, "\t")
    except errors.UserError:
        return plain
    cells = [cell for row in rows for cell in row.cells]
    is_proof = any(_is_quoted(cell, _QUOTED[0]) for cell in cells)
    is_proof |= sum(_is_quoted(cell, _QUOTED[1]) for cell in cells) > _CHANCE
    if not is_proof or any(len(row.cells) == 1 for row in rows):
        return plain
    spelled = ("\n".join(_spelled(row.cells, signs) for row in rows) for signs in _QUOTED)
    return rows if text.rstrip("\n") in (each.rstrip("\n") for each in spelled) else plain


def _is_quoted(cell: str, signs: str) -> bool:
    return any(sign in cell for sign in signs)


def _spelled(cells: Sequence[str], signs: str) -> str:
    """Returns a row as a spreadsheet writes it."""
    return "\t".join(
        '"{}"'.format(cell.replace('"', '""')) if _is_quoted(cell, signs) else cell
        for cell in cells
    )
