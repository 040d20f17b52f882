"""Lines of text as a log: `user item item …`, or `user item` pairs in the order of time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps import errors
from apps.recommendation.interactions import Log


def read(path: Path) -> Log:
    """Reads a file without a header, its fields separated by blanks.

    Where every line has two fields, a line is an event, and its number is its time: the file is in
    the order in which all users acted. Otherwise a line is a user's history, and there are no times
    but the order of its items; a user who has several lines has one history.

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


def _lines(path: Path) -> pa.Array:
    """The lines that aren't blank."""
    try:
        content = path.read_bytes()
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
