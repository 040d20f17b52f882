"""Reads folders of tables: a folder for each label, with a csv or parquet file for each sequence.

The numeric columns of the first file are the channels, a column that numbers the steps left out;
every other file must have them. With folders `train`, `test` and perhaps `validation` in it, each
of them holds the folders of the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from apps.suite import errors
from apps.suite.data import labelled_files
from apps.suite.sequences import long_tables, ragged
from apps.suite.tables import reader

_KIND = labelled_files.Kind("table", "group", reader.SUFFIXES, whole_groups=True)


def read(
    folder: Path, label: str = "label", group_pattern: str = "", skip_unreadable: bool = False
) -> ragged.Sequences:
    """Reads a folder; labels are in `words[label]`.

    Args:
        folder: see above.
        label: name that the column of labels gets.
        group_pattern: finds the group of a sequence in its file's name, see
            `labelled_files.grouped`.
        skip_unreadable: leaves out files that cannot be read, with a note.

    Raises:
        UserError: a folder without labels or files, a file that lacks a channel or has a cell that
            is not a number, with file and line.
    """
    inner = [part for part in labelled_files.PARTS if (folder / part).is_dir()]
    divided = {"train", "test"} <= set(inner)
    found = [
        (part, labelled_files.find(folder / part if part else folder, _KIND))
        for part in (inner if divided else [""])
    ]
    names, parts, groups, labels, arrays = [], [], [], [], []
    channels: tuple[str, ...] = ()
    left_out: list[str] = []
    for part, files in found:
        if group_pattern:
            files = labelled_files.grouped(files, group_pattern)
        for example, path in zip(files.examples, files.paths, strict=True):
            try:
                array, channels = read_table(path, channels)
            except errors.UserError:
                if not skip_unreadable:
                    raise
                left_out.append(example.name)
                continue
            names.append(f"{part}/{example.name}" if part else example.name)
            parts.append(part or example.part)
            groups.append(example.group)
            labels.append(example.label)
            arrays.append(array)
    if not arrays:
        raise errors.UserError(f"{folder}: no file in it can be read")
    made = ragged.of_arrays(arrays, names, channels)
    notes = [f"{len(names):,} files with the columns {', '.join(channels)}"]
    if left_out:
        notes.append(f"{len(left_out)} left out that cannot be read, such as {left_out[0]}")
    return ragged.Sequences(
        names=made.names,
        channel_names=made.channel_names,
        values=made.values,
        starts=made.starts,
        groups=tuple(groups) if any(groups) else None,
        parts=tuple(parts),
        words={label: ragged.words_of(labels, made.lengths)},
        notes=tuple(notes),
    )


def read_table(path: Path, channels: Sequence[str] = ()) -> tuple[np.ndarray, tuple[str, ...]]:
    """Reads a table that holds one sequence.

    Args:
        path: of the file.
        channels: columns that it must have; () takes its numeric columns.

    Returns:
        float32 [steps, channels], NaN where a cell is empty; and the channels.

    Raises:
        UserError: no numeric column, a channel that is missing, no row, no value, a cell that is
            not a number.
    """
    from apps.suite.tables import cells

    table = reader.open_table(path)
    wanted = tuple(channels)
    pieces = []
    for block in table.blocks():
        if not wanted:
            wanted = tuple(
                name
                for name in table.names
                if name.lower() not in long_tables.STEP_NAMES and cells.is_numeric(block, name)
            )
            if not wanted:
                raise errors.UserError(f"{path}: no column of numbers")
        lacking = [name for name in wanted if name not in table.names]
        if lacking:
            raise errors.UserError(
                f"{path}: lacks the column {lacking[0]}; there are {', '.join(table.names)}"
            )
        pieces.append(np.stack([cells.numbers(block, name) for name in wanted], axis=1))
    if not pieces or not np.isfinite(pieces[0]).any():
        raise errors.UserError(f"{path}: has no values after the line of names")
    return np.concatenate(pieces).astype(np.float32), wanted
