"""Reads csv and parquet files with a text in each row, and what is known about it.

    text,label,group,part
    "what a film",good,anna,train

Texts are sequences of one row without channels; the text is `words["text"]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from apps.suite import errors
from apps.suite.data import labelled_files
from apps.suite.sequences import config as configs
from apps.suite.sequences import ragged
from apps.suite.tables import cells, reader

TEXT = "text"
TEXT_NAMES = ("text", "sentence", "review", "tweet", "message")

Kind = Literal["number", "word"]


def text_column(table: reader.Table, settings: configs.SequenceFormatConfig) -> str | None:
    """Returns the column of texts, found by its name; None for a table of measurements."""
    lower = {name.lower(): name for name in table.names}
    found = next((lower[name] for name in TEXT_NAMES if name in lower), None)
    return None if found in settings.ignored_columns else found


def read(
    path: Path, settings: configs.SequenceFormatConfig, further: Mapping[str, Kind]
) -> ragged.Sequences:
    """Reads a file that has a column of texts.

    Args:
        path: of the file.
        settings: name the columns of groups and parts; "" lets them be found by their names.
        further: columns that every row must have, words (labels) or numbers (targets).

    Raises:
        UserError: a column that is missing, an empty cell, a part that is not one: with file and
            line.
    """
    table = reader.open_table(path)
    text = text_column(table, settings)
    if text is None:
        raise errors.UserError(f"{path}: no column {TEXT}; there are {', '.join(table.names)}")
    named = {
        "group": settings.group_column or ("group" if "group" in table.names else ""),
        "part": settings.part_column or ("part" if "part" in table.names else ""),
    }
    for column in (*further, *named.values()):
        if column and column not in table.names:
            raise errors.UserError(
                f"{path}: lacks the column {column}; there are {', '.join(table.names)}"
            )
    columns: dict[str, list[str]] = {text: []}
    columns |= {name: [] for name, kind in further.items() if kind == "word"}
    columns |= {name: [] for name in named.values() if name}
    numbers: dict[str, list[np.ndarray]] = {
        name: [] for name, kind in further.items() if kind == "number"
    }
    for block in table.blocks([*columns, *numbers]):
        for name, found in columns.items():
            added = cells.names(block, name).to_pylist()
            if name == named["part"]:
                _check_parts(block, name, added)
            if name == text:
                _check_texts(block, name, added)
            found += [each.strip() for each in added]
        for name, pieces in numbers.items():
            added_numbers = cells.numbers(block, name)
            if np.isnan(added_numbers).any():
                row = int(np.isnan(added_numbers).argmax())
                raise errors.UserError(f"{block.place(row)}: {name} is empty")
            pieces.append(added_numbers)
    count = len(columns[text])
    if not count:
        raise errors.UserError(f"{path}: has no rows after the line of names")
    one_each = np.ones(count, np.int64)
    words = {name: ragged.words_of(columns[name], one_each) for name in columns if name in further}
    words[TEXT] = ragged.words_of(columns[text], one_each)
    return ragged.Sequences(
        names=tuple(f"row {number + 1}" for number in range(count)),
        channel_names=(),
        values=np.zeros((count, 0), np.float32),
        starts=ragged.starts_of(one_each),
        groups=tuple(columns[named["group"]]) if named["group"] else None,
        parts=tuple(columns[named["part"]]) if named["part"] else (),
        numbers={name: np.concatenate(pieces) for name, pieces in numbers.items()},
        words=words,
        notes=(f"{count:,} texts of the column {text}",),
    )


def _check_parts(block: cells.Block, name: str, parts: list[str]) -> None:
    for row, part in enumerate(parts):
        if part.strip() not in labelled_files.PARTS:
            raise errors.UserError(
                f"{block.place(row)}: {name} is {part!r}; write train, validation or test"
            )


def _check_texts(block: cells.Block, name: str, texts: list[str]) -> None:
    for row, text in enumerate(texts):
        if not text.strip():
            raise errors.UserError(f"{block.place(row)}: {name} is blank; remove the row")
