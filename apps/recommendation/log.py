"""Reads a log of events: a csv, parquet or .inter file, lines of text, or a TFDS set."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.recommendation import config as configs
from apps.recommendation import text_logs
from apps.recommendation.histories import Log, refuse_unusable_names
from apps.suite import errors
from apps.suite.data import named_sets
from apps.suite.tables import cells, reader
from apps.suite.tables import times as clocks

_INTER = ".inter"
# Names of .inter files for the columns that the config calls user, item and time
_INTER_NAMES = {"user": "user_id", "item": "item_id", "time": "timestamp"}
_KINDS = f"{', '.join(reader.SUFFIXES)}, {_INTER}, .txt, or lines parted by ::"
_TIMES_WANTED = "give --columns.time_format, such as %d.%m.%Y %H:%M"


def read(path: Path, columns: configs.ColumnsConfig, sessions: configs.SessionsConfig) -> Log:
    """Reads the file by its ending.

    Tables (`reader.SUFFIXES`) have named columns (`read_table`); so has `.inter`, separated by tabs
    with a header such as `user_id:token item_id:token timestamp:float`, where the names `user`,
    `item` and `time` of the config mean these. `.txt` has a history a line, or an event a line
    (`text_logs.read`).

    Raises:
        UserError: no such file, another kind, or a file that the readers refuse.
    """
    if not path.exists():
        raise errors.UserError(f"{path}: no such file")
    if path.is_dir():
        raise errors.UserError(f"{path}: is a folder; give the file of the log ({_KINDS})")
    if path.suffix.lower() == ".txt" and not text_logs.is_double_colon(path):
        return text_logs.read(path)
    if (
        not reader.suffix(path)
        and path.suffix.lower() != _INTER
        and not text_logs.is_double_colon(path)
    ):
        raise errors.UserError(f"{path}: of unknown kind; give {_KINDS}")
    return read_table(path, columns, sessions)


def read_table(path: Path, columns: configs.ColumnsConfig, sessions: configs.SessionsConfig) -> Log:
    """Reads the named columns, and no others.

    Names are text: `007` and `7` are two items. `times.Clock` reads the times; fractions of a
    second are cut off. Fields parted by `::` have no line of names; they are user, item and time,
    or user, item, rating and time.

    Raises:
        UserError: a missing column, an empty field, a time or a table that cannot be read.
    """
    source = str(path.resolve())
    table = (
        text_logs.double_colon(path)
        if text_logs.is_double_colon(path)
        else reader.open_table(path, unquoted=path.suffix.lower() == _INTER)
    )
    of = _columns(path, columns, sessions, list(table.names))
    clock = clocks.Clock(
        of["time"], columns.time_zone, columns.time_format, _TIMES_WANTED, group="--columns"
    )
    times = list[np.ndarray]()
    read_names: dict[str, list[pa.Array]] = {role: [] for role in of if role != "time"}
    dropped = 0
    for block in table.blocks(list(dict.fromkeys(of.values()))):
        rows = len(block.columns[of["time"]])
        block = _without_placeholders(block, of, columns.placeholders)
        dropped += rows - len(block.columns[of["time"]])
        times.append(clock.read(block) // clocks.SECOND)
        for role, parts in read_names.items():
            name = of[role]
            parts.append(block.columns[name] if role == "title" else _names(block, name))
    if not sum(map(len, times)):
        raise errors.UserError(f"{path}: has a line of names and no events")
    users, items, session = (
        _joined(read_names[role], of[role], source) if role in of else None
        for role in ("user", "item", "session")
    )
    assert users is not None
    assert items is not None
    titles = pa.chunked_array(read_names["title"]) if "title" in of else None
    return Log(
        users=users,
        items=items,
        times=np.concatenate(times),
        sessions=session,
        titles=None if titles is None else read_titles(titles, items),
        name=path.resolve().name,
        licence="your own",
        source=source,
        notes=_notes(of, clock.reading, table.names, dropped),
    )


def _notes(of: dict[str, str], reading: str, names: Sequence[str], dropped: int) -> tuple[str, ...]:
    """Returns sentences on the columns, and on rows that were left out."""
    others = [name for name in names if name not in of.values()]
    roles = ", ".join(f"{role}: {name}" for role, name in of.items())
    notes = [
        f"columns {roles} ({reading})" + (f"; not read: {', '.join(others)}" if others else "")
    ]
    if dropped:
        notes.append(f"{dropped:,} rows without a user, an item or a session were left out")
    return tuple(notes)


def _without_placeholders(block: cells.Block, of: dict[str, str], rule: str) -> cells.Block:
    """Returns a block without rows whose names stand for missing ones, if they are to be dropped.

    Raises:
        UserError: such a name, with its place, where they are refused.
    """
    if rule == "keep":
        return block
    keep = np.ones(len(block.columns[of["time"]]), np.bool_)
    for role in ("user", "item", "session"):
        if role not in of:
            continue
        missing = cells.missing(block.columns[of[role]])
        if rule == "refuse" and missing.any():
            row = int(missing.argmax())
            cell = block.columns[of[role]][row].as_py()
            if cell in (None, ""):
                told = "is empty; fill it, or leave such rows out with --columns.placeholders drop"
            else:
                told = (
                    f"is {cell!r}, which stands for none: leave such rows out with "
                    f"--columns.placeholders drop, or take it for a name with "
                    "--columns.placeholders keep"
                )
            raise errors.UserError(f"{block.place(row)}: {of[role]} {told}")
        keep &= ~missing
    if keep.all():
        return block
    rows = np.flatnonzero(keep)
    columns = {name: column.take(pa.array(rows)) for name, column in block.columns.items()}
    return dataclasses.replace(block, columns=columns, numbers_of_rows=block.first + rows)


def _names(block: cells.Block, name: str) -> pa.DictionaryArray:
    return cells.names(block, name).dictionary_encode()


def _joined(blocks: list[pa.DictionaryArray], name: str, source: str) -> pa.DictionaryArray:
    """Joins the blocks of a column into one dictionary array."""
    found = pa.chunked_array(blocks).unify_dictionaries().combine_chunks()
    if isinstance(found, pa.ChunkedArray):
        found = found.chunk(0)
    refuse_unusable_names(found.dictionary, name, source)
    return found


def _columns(
    path: Path,
    columns: configs.ColumnsConfig,
    sessions: configs.SessionsConfig,
    header: list[str],
) -> dict[str, str]:
    """Returns the name in the header of each role; UserError for one that is not there."""
    wanted = {"user": columns.user, "item": columns.item, "time": columns.time}
    if sessions.by == "column":
        wanted["session"] = columns.session
    if columns.title:
        wanted["title"] = columns.title
    bare = {name: name for name in header}
    if path.suffix.lower() == _INTER:
        bare = {name.partition(":")[0]: name for name in header}
        wanted = {
            role: _INTER_NAMES[role] if name == role else name for role, name in wanted.items()
        }
    for role, name in wanted.items():
        if name not in bare:
            raise errors.UserError(
                f"{path}: no column {name!r}, it has {', '.join(map(repr, header[:12]))}; "
                f"say which one it is with --columns.{role}"
            )
    return {role: bare[name] for role, name in wanted.items()}


def read_titles(column: pa.ChunkedArray, items: pa.DictionaryArray) -> np.ndarray:
    """Returns the title in the first row of each item, object [names of items]; "" without one."""
    _, first = np.unique(items.indices.to_numpy(), return_index=True)
    found = column.take(pa.array(first)).cast(pa.string())
    return pc.fill_null(found, "").to_numpy(zero_copy_only=False)


# Features that mean the same in different sets; the first that there is
_FEATURES = {
    "user": ("user_id", "customer_id", "user"),
    "item": ("item_id", "movie_id", "product_id", "item"),
    "time": ("timestamp", "time"),
}
_TITLES = ("item_title", "movie_title", "product_title", "title")
_EXAMPLES_A_READ = 4096


def read_set(name: str) -> Log:
    """Reads a whole TFDS set, all its splits, and prepares it first if necessary.

    Features are found by their names, such as those of `movielens/1m-ratings`: user_id, movie_id,
    timestamp (seconds), and movie_title as the title. A set whose item and time are sequences, such
    as grocery_histories, has a user's whole history in an example.

    Raises:
        UserError: no such set, one that cannot be prepared, or one without these features.
    """
    builder = named_sets.prepare(name)
    features = builder.info.features
    of: dict[str, str] = {}
    for role, names in _FEATURES.items():
        found = [each for each in names if each in features]
        if not found:
            raise errors.UserError(
                f"{name}: has none of the features {', '.join(names)}; a log needs user, item "
                "and time"
            )
        of[role] = found[0]
    title = next((each for each in _TITLES if each in features), None)
    if title:
        of["title"] = title
    read_columns: dict[str, list[np.ndarray]] = {role: [] for role in of}
    for split in sorted(builder.info.splits):
        for batch in _batches(builder, split, of):
            for role, column in batch.items():
                read_columns[role].append(column)
    columns = {role: np.concatenate(parts) for role, parts in read_columns.items()}
    users, items = (_names_of_set(columns[role], of[role], name) for role in ("user", "item"))
    info = builder.info
    return Log(
        users=users,
        items=items,
        times=columns["time"].astype(np.int64),
        sessions=None,
        titles=read_titles(_text(columns["title"]), items) if title else None,
        name=name,
        licence=info.redistribution_info.license or "see source",
        source=info.homepage,
        notes=(f"features {', '.join(of.values())} of the set, times in seconds",),
    )


def _batches(builder: Any, split: str, of: dict[str, str]) -> Any:
    """Yields columns of some thousand examples, flat: role -> [events]."""
    dataset = builder.as_dataset(split=split, shuffle_files=False)
    dataset = dataset.map(lambda example: {role: example[name] for role, name in of.items()})
    if len(builder.info.features[of["item"]].shape):
        for batch in dataset.ragged_batch(_EXAMPLES_A_READ):
            lengths = batch["item"].row_lengths().numpy()
            flat = {role: batch[role].flat_values.numpy() for role in of if role != "user"}
            yield {**flat, "user": np.repeat(batch["user"].numpy(), lengths)}
    else:
        yield from dataset.batch(_EXAMPLES_A_READ).as_numpy_iterator()


def _names_of_set(column: np.ndarray, feature: str, source: str) -> pa.DictionaryArray:
    found = _text(column).dictionary_encode().combine_chunks()
    found = found.chunk(0) if isinstance(found, pa.ChunkedArray) else found
    refuse_unusable_names(found.dictionary, feature, source)
    return found


def _text(column: np.ndarray) -> pa.ChunkedArray:
    """Bytes (or numbers) as text."""
    array = pa.array(column)
    if pa.types.is_floating(array.type):
        array = array.cast(pa.int64())
    return pa.chunked_array([array.cast(pa.string())])
