"""Reads the user's own sequences or texts, by what their file or folder is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from apps.suite import errors
from apps.suite.data.config import OwnConfig
from apps.suite.sequences import config as configs
from apps.suite.sequences import (
    json_lines,
    long_tables,
    ragged,
    table_folders,
    text_tables,
    ts_files,
)
from apps.suite.tables import reader


def read(
    path: Path,
    settings: configs.SequenceFormatConfig,
    further: Mapping[str, long_tables.Kind],
    *,
    constant: Sequence[str] = (),
    own: OwnConfig | None = None,
) -> ragged.Sequences:
    """Reads a .ts file or pair, a folder for each label, a csv or parquet file, or JSON lines.

    Args:
        path: of the file or folder. A table with a column `text` holds texts, any other one is in
            long form (`long_tables`).
        settings: name the columns of tables.
        further: columns that are not channels, words (labels) or numbers (targets). A .ts file
            calls them label and target, a folder has the first one.
        constant: those of `further` that have one value in all rows of a sequence.
        own: pattern of groups, and unreadable files, of a folder.

    Raises:
        UserError: of the reader, or a file of another kind.
    """
    if ts_files.is_ts(path):
        return ts_files.read(path)
    if path.is_dir():
        own = own or OwnConfig()
        label = next(iter(further), ts_files.LABEL)
        return table_folders.read(path, label, own.group_pattern, own.skip_unreadable)
    if path.suffix.lower() in json_lines.SUFFIXES:
        return json_lines.read(path, further)
    if not reader.suffix(path):
        known = ", ".join((".ts", *json_lines.SUFFIXES, *reader.SUFFIXES))
        raise errors.UserError(f"{path}: give a folder, or a file that ends in {known}")
    if text_tables.text_column(reader.open_table(path), settings):
        return text_tables.read(path, settings, further)
    return long_tables.read(path, settings, further, constant=constant)
