"""Logs that are TFDS sets: of one event an example, or of one user's history an example."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from apps import dataset_builders, errors
from apps.recommendation.interactions import Log, refuse_unusable_names
from apps.recommendation.table_files import titles

# Features that mean the same in different sets; the first that there is
_FEATURES = {
    "user": ("user_id", "customer_id", "user"),
    "item": ("item_id", "movie_id", "product_id", "item"),
    "time": ("timestamp", "time"),
}
_TITLES = ("item_title", "movie_title", "product_title", "title")
_EXAMPLES_A_READ = 4096


def read(name: str) -> Log:
    """The whole set, of all its splits, prepared first where it isn't yet.

    Features are found by their names, such as those of `movielens/1m-ratings`: user_id, movie_id,
    timestamp (seconds), and movie_title as the title. A set whose item and time are sequences, such
    as grocery_histories, has a user's whole history in an example.

    Raises:
        UserError: no such set, one that cannot be prepared, or one without these features.
    """
    builder = dataset_builders.prepare(name)
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
    users, items = (_names(columns[role], of[role], name) for role in ("user", "item"))
    info = builder.info
    return Log(
        users=users,
        items=items,
        times=columns["time"].astype(np.int64),
        sessions=None,
        titles=titles(_text(columns["title"]), items) if title else None,
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


def _names(column: np.ndarray, feature: str, source: str) -> pa.DictionaryArray:
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
