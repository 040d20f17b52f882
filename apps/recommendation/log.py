"""A log of one's own: csv, tsv, parquet, .inter, or lines of text.

Logs that are TFDS sets: of one event an example, or of one user's history an example.

Files with named columns as a log: csv, tsv, .inter, parquet.

Lines of text as a log: `user item item …`, or `user item` pairs in the order of time.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from apps.recommendation import config as configs
from apps.recommendation.histories import Log, refuse_unusable_names
from apps.suite import errors
from apps.suite.data import named_sets
from apps.suite.tables import event_times

_NAME = pa.dictionary(pa.int32(), pa.string())
# What .inter files call the columns that the config names user, item and time
_INTER_NAMES = {"user": "user_id", "item": "item_id", "time": "timestamp"}
_BLOCK_BYTES = 16 << 20


def read_table(
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
        titles=read_titles(table[of["title"]], items) if "title" in of else None,
        name=path.resolve().name,
        licence="your own",
        source=source,
        notes=(note,),
    )


def read_titles(column: pa.ChunkedArray, items: pa.DictionaryArray) -> np.ndarray:
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


# Features that mean the same in different sets; the first that there is
_FEATURES = {
    "user": ("user_id", "customer_id", "user"),
    "item": ("item_id", "movie_id", "product_id", "item"),
    "time": ("timestamp", "time"),
}
_TITLES = ("item_title", "movie_title", "product_title", "title")
_EXAMPLES_A_READ = 4096


def read_set(name: str) -> Log:
    """The whole set, of all its splits, prepared first where it isn't yet.

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
    """Columns of some thousand examples, flat: role -> [events]."""
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


def read_text(path: Path) -> Log:
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


_TABLES = {".csv": ",", ".tsv": "\t", ".inter": "\t", ".parquet": ""}
_KINDS = ".csv, .tsv, .parquet, .inter or .txt"


def is_path(name: str) -> bool:
    """Whether a name must be meant as a file, there or not."""
    return name.startswith((".", "/", "~")) or Path(name).suffix in {*_TABLES, ".txt"}


def read(path: Path, columns: configs.ColumnsConfig, sessions: configs.SessionsConfig) -> Log:
    """Reads the file by its ending.

    `.csv`, `.tsv` and `.parquet` have named columns (`log.read_table`); so has `.inter`, tab
    separated with a header such as `user_id:token item_id:token timestamp:float`, where the names
    `user`, `item` and `time` of the config mean these. `.txt` has a history a line, or an event a
    line (`log.read_text`).

    Raises:
        UserError: no such file, another kind, or what the readers refuse.
    """
    if not path.exists():
        raise errors.UserError(f"{path}: no such file")
    if path.is_dir():
        raise errors.UserError(f"{path}: is a folder; give the file of the log ({_KINDS})")
    if path.suffix == ".txt":
        return read_text(path)
    if path.suffix not in _TABLES:
        raise errors.UserError(f"{path}: of unknown kind; give {_KINDS}")
    return read_table(path, columns, sessions, delimiter=_TABLES[path.suffix])
