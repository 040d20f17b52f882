"""The log of who took what when, in codes, sorted into histories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps import errors


@dataclass(frozen=True)
class Log:
    """The log as it is read: one row an event, in the order of the source.

    users, items: dictionary arrays of strings [events].
    times: int64 [events] seconds; None where the order of the rows is all there is.
    sessions: dictionary array of strings [events], or None.
    titles: object [item names], "" where there is none, in the order of items.dictionary; or None.
    name, licence, source: what the data are.
    notes: what was decided in reading, a sentence each, for the reader of a report.
    """

    users: pa.DictionaryArray
    items: pa.DictionaryArray
    times: np.ndarray | None
    sessions: pa.DictionaryArray | None
    titles: np.ndarray | None
    name: str
    licence: str
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Interactions:
    """All events, sorted by history, then time, then place in the log.

    users, items: int32 [events], places in `user_names` and `item_names`.
    times: int64 [events] seconds, or the place in the log (`timed` is False then).
    sessions: int32 [events], the history that the event belongs to, ascending from 0.
    user_names, item_names: object [names].
    titles: object [items] or None.
    duplicates: rows that were left out: same user, item and time as another.
    """

    users: np.ndarray
    items: np.ndarray
    times: np.ndarray
    sessions: np.ndarray
    user_names: np.ndarray
    item_names: np.ndarray
    titles: np.ndarray | None
    timed: bool
    duplicates: int


def refuse_unusable_names(names: pa.Array, column: str, source: str) -> None:
    """UserError for a name that is empty, or that a file of one name a line couldn't hold."""
    unusable = pc.filter(names, pc.match_substring_regex(names, "^$|[\\r\\n]"))
    if len(unusable):
        name = unusable[0].as_py()
        fault = f"a line break in {name!r}" if name else "an empty name"
        raise errors.UserError(
            f"{source}: column {column} has {fault}; every name must be one line of text"
        )
