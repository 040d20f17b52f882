"""Files with named columns as a log: csv, tsv, .inter, parquet."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from apps import errors
from apps.recommendation import config as configs
from apps.recommendation import event_times
from apps.recommendation.interactions import Log, refuse_unusable_names

_NAME = pa.dictionary(pa.int32(), pa.string())
# What .inter files call the columns that the config names user, item and time
_INTER_NAMES = {"user": "user_id", "item": "item_id", "time": "timestamp"}
_BLOCK_BYTES = 16 << 20


def read(
    path: Path,
    columns: configs.ColumnsConfig,
    sessions: configs.SessionsConfig,
    delimiter: str,
) -> Log:
    """Reads the named columns, and no others; `delimiter` "" means parquet.

    Names are text: `007` and `7` are two items. See `event_times.seconds` for the times.

    Raises:
        UserError: a missing column, an empty field, a time or a table that can't be read.
    """
    source = str(path.resolve())
    header = _header(path, delimiter)
    of = _columns(path, columns, sessions, header)
    try:
        if delimiter:
            table = _read_csv(path, delimiter, header, list(of.values()), of["time"])
        else:
            table = pyarrow.parquet.read_table(path, columns=list(of.values()))
    except (pa.ArrowException, OSError) as error:
        raise errors.UserError(f"{path}: {_one_line(error)}") from None
    if not len(table):
        raise errors.UserError(f"{path}: has a header and no events")
    times, note = event_times.seconds(table[of["time"]], of["time"], source)
    if not delimiter:  # a parquet file's own dictionary may hold names that no row has
        table = pa.table({name: _plain(table[name]) for name in of.values()})
    users, items = (_names(table[of[role]], of[role], source) for role in ("user", "item"))
    session = _names(table[of["session"]], of["session"], source) if "session" in of else None
    return Log(
        users=users,
        items=items,
        times=times,
        sessions=session,
        titles=titles(table[of["title"]], items) if "title" in of else None,
        name=path.resolve().name,
        licence="your own",
        source=source,
        notes=(note,),
    )


def titles(column: pa.ChunkedArray, items: pa.DictionaryArray) -> np.ndarray:
    """object [names of items]: the title in the first row of each item, "" for none."""
    _, first = np.unique(items.indices.to_numpy(), return_index=True)
    found = column.take(pa.array(first)).cast(pa.string())
    return pc.fill_null(found, "").to_numpy(zero_copy_only=False)


def _header(path: Path, delimiter: str) -> list[str]:
    try:
        if not delimiter:
            return pyarrow.parquet.read_schema(path).names
        with path.open(encoding="utf-8-sig", newline="") as file:
            quote = None if delimiter == "\t" else '"'
            header = next(csv.reader(file, delimiter=delimiter, quotechar=quote), [])
    except UnicodeDecodeError:
        raise errors.UserError(f"{path}: is not UTF-8; save the file as UTF-8") from None
    except (pa.ArrowException, OSError, csv.Error) as error:
        raise errors.UserError(f"{path}: cannot be read: {_one_line(error)}") from None
    if not header:
        raise errors.UserError(f"{path}: empty; the first line must name the columns")
    return header


def _columns(
    path: Path,
    columns: configs.ColumnsConfig,
    sessions: configs.SessionsConfig,
    header: list[str],
) -> dict[str, str]:
    """Role -> name in the header; UserError for one that isn't there."""
    wanted = {"user": columns.user, "item": columns.item, "time": columns.time}
    if sessions.by == "column":
        wanted["session"] = columns.session
    if columns.title:
        wanted["title"] = columns.title
    bare = {name: name for name in header}
    if path.suffix == ".inter":
        bare = {name.partition(":")[0]: name for name in header}
        wanted = {
            role: _INTER_NAMES[role] if name == role else name for role, name in wanted.items()
        }
    for role, name in wanted.items():
        if header.count(bare.get(name, "")) > 1:
            raise errors.UserError(f"{path}: two columns are named {name!r}; rename one of them")
        if name not in bare:
            raise errors.UserError(
                f"{path}: no column {name!r}, it has {', '.join(map(repr, header[:12]))}; "
                f"say which one it is with --columns.{role}"
            )
    return {role: bare[name] for role, name in wanted.items()}


def _read_csv(
    path: Path, delimiter: str, header: list[str], wanted: list[str], time: str
) -> pa.Table:
    def table(threads: bool) -> pa.Table:
        return pyarrow.csv.read_csv(
            path,
            pyarrow.csv.ReadOptions(
                use_threads=threads, block_size=_BLOCK_BYTES, skip_rows=1, column_names=header
            ),
            pyarrow.csv.ParseOptions(
                delimiter=delimiter,
                quote_char=False if delimiter == "\t" else '"',
                newlines_in_values=delimiter != "\t",  # refused in names; a title may have them
            ),
            pyarrow.csv.ConvertOptions(
                include_columns=list(dict.fromkeys(wanted)),
                column_types={name: pa.string() if name == time else _NAME for name in wanted},
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )

    try:
        return table(threads=True)
    except pa.ArrowInvalid:
        return table(threads=False)  # which fails as well, and says in which row


def _names(column: pa.ChunkedArray, name: str, source: str) -> pa.DictionaryArray:
    """A column as one dictionary array of text without nulls."""
    if column.null_count:
        row = column.is_null().index(pa.scalar(True)).as_py() + 1
        raise errors.UserError(f"{source}: row {row} of data has no {name}; fill or remove it")
    if not pa.types.is_dictionary(column.type):
        try:
            column = column.cast(pa.string()).dictionary_encode()
        except pa.ArrowException:
            raise errors.UserError(
                f"{source}: column {name} is of type {column.type}; names must be text or numbers"
            ) from None
    column = column.unify_dictionaries().combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0)
    codes = column.indices.cast(pa.int32())
    found = pa.DictionaryArray.from_arrays(codes, column.dictionary.cast(pa.string()))
    refuse_unusable_names(found.dictionary, name, source)
    return found


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _one_line(error: BaseException) -> str:
    return re.sub(r"\s+", " ", str(error))[:300]
