"""Reads the user's own sequences or texts, by what their file or folder is."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from apps.suite import errors
from apps.suite.data.config import OwnConfig
from apps.suite.runs import config as fields
from apps.suite.sequence_answers import questions
from apps.suite.sequence_files import json_lines, long_tables, table_folders, text_tables, ts_files
from apps.suite.sequences import config as configs
from apps.suite.sequences import ragged
from apps.suite.tables import reader

if typing.TYPE_CHECKING:
    from apps.suite.export import asking


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


def format_of(settings: Mapping[str, Any]) -> configs.SequenceFormatConfig:
    """Returns the columns of tables as an export's settings name them; older ones do not."""
    return fields.from_dict(configs.SequenceFormatConfig, settings.get("data_format", {}))


def asked(
    path: Path, channels: Sequence[str], settings: configs.SequenceFormatConfig | None = None
) -> ragged.Sequences:
    """Reads sequences of numbers that a trained model is asked about; labels may be there or not.

    Args:
        path: of a file, or of a folder with one table for each sequence in it. A table without a
            column that names the sequences holds one of them.
        channels: those of the training, by name in a table, in this order in other files.
        settings: name the columns of tables.

    Raises:
        UserError: no such file, no sequence in it, a channel that is missing, and as the readers.
    """
    settings = settings or configs.SequenceFormatConfig()
    if not path.exists():
        raise errors.UserError(f"{path}: no such file or folder")
    if ts_files.is_ts(path) or path.suffix.lower() in json_lines.SUFFIXES:
        found = ts_files.read(path) if ts_files.is_ts(path) else json_lines.read(path, {})
        if len(found.channel_names) != len(channels):
            raise errors.UserError(
                f"{path}: has {len(found.channel_names)} channels, the model has learned "
                f"{len(channels)}: {', '.join(channels)}"
            )
        return found
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if reader.suffix(each) and each.is_file())
        if not files:
            raise errors.UserError(f"{path}: no csv or parquet file in this folder")
        arrays = [table_folders.read_table(file, channels)[0] for file in files]
        return ragged.of_arrays(arrays, [str(file) for file in files], channels)
    names = {name.lower() for name in reader.open_table(path).names}
    if settings.sequence_column or names & set(long_tables.SEQUENCE_NAMES) - {*channels}:
        return long_tables.read(path, settings, {}, learned=channels)
    array, _ = table_folders.read_table(path, channels)
    return ragged.of_arrays([array], [str(path)], channels)


def asked_texts(given: str) -> list[tuple[str, str]]:
    """Returns names and texts of an input: a file of texts, or a text itself.

    A csv or parquet file has a column `text`, JSON lines have the field, any other file has a text
    in each line that is not blank.

    Raises UserError for a file without a text, and as the readers.
    """
    path = Path(given)
    try:
        is_file = path.is_file()
    except OSError:  # a long text is not a name
        is_file = False
    if not is_file:
        return [("text", given)]
    settings = configs.SequenceFormatConfig()
    if path.suffix.lower() in json_lines.SUFFIXES or reader.suffix(path):
        found = (
            text_tables.read(path, settings, {})
            if reader.suffix(path)
            else json_lines.read(path, {})
        )
        column = found.words.get(text_tables.TEXT)
        if column is None:
            raise errors.UserError(f"{path}: holds numbers, and the model has learned from texts")
        return [(f"{path} {name}", column.text(row)) for row, name in enumerate(found.names)]
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise errors.UserError(f"{path}: cannot be read as UTF-8 text") from None
    texts = [(f"{path} line {at}", line) for at, line in enumerate(lines, 1) if line.strip()]
    if not texts:
        raise errors.UserError(f"{path}: has no text in it")
    return texts


def answered(
    model: asking.Model,
    inputs: Sequence[str],
    names: Sequence[str],
    *,
    streamed: bool = False,
) -> Iterator[questions.Asked]:
    """Yields the sequences or texts of inputs with a model's answers, in order.

    Args:
        model: whose settings name the channels and the columns of tables, and `per` sequence or
            step.
        inputs: files and folders (see `asked`); of a model of texts, see `asked_texts`.
        names: of the outputs that are wanted.
        streamed: see `questions.sequences`.

    Raises:
        UserError: as the readers, and what the model refuses.
    """
    channels, settings = model.setting("channel_names"), format_of(model.settings)
    for given in inputs:
        if not channels:
            yield from questions.texts(model, asked_texts(given), names)
            continue
        found = asked(Path(given), channels, settings)
        yield from questions.sequences(model, found, names, streamed=streamed)
