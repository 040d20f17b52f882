"""Reads logs in lines of text: histories, pairs of user and item, and fields parted by `::`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.recommendation.histories import Log
from apps.suite import errors
from apps.suite.tables import cells, forms, layout, reader
from apps.suite.tables import times as clocks

_DOUBLE_COLON = "::"  # between the fields of MovieLens's .dat files, which have no line of names
_OF_DOUBLE_COLON = {3: ("user", "item", "time"), 4: ("user", "item", "rating", "time")}
# Words in the first line of a table that is called .txt
_HEADER = re.compile(
    r"(user|customer|visitor|session|item|product|movie|track|article|sku|time|timestamp|date"
    r"|rating|event)s?([ _-]?(id|ids|no|name|time|stamp))?"
)
_LINES_LOOKED_AT = 200


def is_double_colon(path: Path) -> bool:
    """Returns true for a file of text with `::` in its first line, called .dat or .txt."""
    if path.suffix.lower() not in (".dat", ".txt"):
        return False
    with path.open("rb") as file:
        return _DOUBLE_COLON.encode() in file.readline(4096)


def double_colon(path: Path) -> reader.Table:
    """Returns lines of fields parted by `::` as a table, with names for its columns."""
    text = "\n".join(_lines(path).to_pylist())
    count = text.partition("\n")[0].count(_DOUBLE_COLON) + 1
    if "\t" in text or count not in _OF_DOUBLE_COLON:
        raise errors.UserError(
            f"{path}: {count} fields parted by {_DOUBLE_COLON}; there have to be 3 (user, item, "
            "time) or 4 (user, item, rating, time)"
        )
    return reader.open_text(text.replace(_DOUBLE_COLON, "\t"), _OF_DOUBLE_COLON[count], str(path))


def read(path: Path) -> Log:
    """Reads a file without a header, its fields separated by blanks.

    If every line has two fields, a line is an event, and its number is its time: the file is in the
    order in which all users acted. Otherwise a line is a user's history, with an order of its items
    and no times; a user with several lines has one history.

    Raises:
        UserError: not text, empty, or a line that names no item.
    """
    lines = _lines(path)
    # Without a pattern a run of blanks of any kind separates
    fields = pc.ascii_split_whitespace(lines)
    counts = pc.list_value_length(fields).to_numpy(zero_copy_only=False)
    offsets = fields.offsets.to_numpy()
    words = fields.flatten()
    first = offsets[:-1] - offsets[0]
    short = np.flatnonzero(counts < 2)
    _refuse_table(path, lines[:_LINES_LOOKED_AT].to_pylist())
    if len(short):
        # Lines that were left out as empty ones would shift the number
        line = lines[int(short[0])].as_py()
        raise errors.UserError(
            f"{path}: the line {line!r} has no item; give `user item item …` or `user item`"
        )
    users = words.take(pa.array(np.repeat(first, counts - 1)))
    is_item = np.ones(len(words), bool)
    is_item[first] = False
    items = words.filter(pa.array(is_item))
    pairs = bool((counts == 2).all())
    return Log(
        users=users.dictionary_encode(),
        items=items.dictionary_encode(),
        times=np.arange(len(items)) if pairs else None,
        sessions=None,
        titles=None,
        name=path.resolve().name,
        licence="your own",
        source=str(path.resolve()),
        notes=(
            ("pairs of user and item: the line's number is its time",)
            if pairs
            else ("a history a line: order without times",)
        ),
    )


def _refuse_table(path: Path, lines: Sequence[str]) -> None:
    """Raises UserError for lines of a table, with the way to read them as one."""
    first = lines[0]
    mark = next((each for each in "\t;,|" if each in first), "")
    parted = [line.split(mark or None) for line in lines]
    names = [name.strip().strip('"') for name in parted[0]]
    named = sum(bool(_HEADER.fullmatch(name.lower())) for name in names)
    wanted = "; a table is called .csv, .tsv or .parquet, and has a line of names"
    if named >= 2:
        options = " ".join(
            f"--columns.{role} {shlex.quote(name)}"
            for role, name in zip(("user", "item", "time"), names, strict=False)
        )
        raise errors.UserError(
            f"{path}: line 1 holds names of columns, as in a table: call the file "
            f"{path.stem}.{'tsv' if mark == chr(9) or not mark else 'csv'}, and say which is "
            f"which, as in {options}"
            if len(names) > 2
            else f"{path}: line 1 holds names; remove it, or give a table{wanted}"
        )
    if mark in (";", ",", "|") or (mark and len({len(each) for each in parted}) == 1):
        columns = list(zip(*parted, strict=False))
        if len(names) > 2 and any(_are_times(column) for column in columns[1:]):
            raise errors.UserError(
                f"{path}: line 1 is parted like a table's, and a column holds times{wanted}"
            )
        if mark != "\t" and len(names) > 1 and not any(len(line.split()) > 1 for line in lines):
            raise errors.UserError(f"{path}: line 1 is parted by {mark!r}{wanted}")


def _are_times(column: Sequence[str]) -> bool:
    if all(cells.is_number(text, False) for text in column):
        return forms.are_dated(np.array([float(text) for text in column]))
    return all(map(clocks.is_time, column[:20]))


def _lines(path: Path) -> pa.Array:
    """Reads the lines that are not blank."""
    try:
        with layout.opened(path) as file:
            content = file.read()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise errors.UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise errors.UserError(
            f"{path}: line {line} is not UTF-8; save the file as UTF-8"
        ) from None
    found = [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
    if not found:
        raise errors.UserError(f"{path}: empty; give `user item item …` or `user item` lines")
    return pa.array(found, pa.string())
