"""Holds arrays of events: the log, its events in codes, histories to learn from, and queries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.recommendation import config as configs
from apps.suite import errors


@dataclass(frozen=True)
class Log:
    """A log of events: one row an event, in the order of the source.

    users, items: dictionary arrays of strings [events].
    times: int64 [events] seconds; None if only the order of the rows is known.
    sessions: dictionary array of strings [events], or None.
    titles: object [item names], "" where there is none, in the order of items.dictionary; or None.
    name, licence, source: of the data.
    notes: decisions made in reading, a sentence each, for the report.
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
    """Raises UserError for an empty name, or one that a file of one name a line cannot hold."""
    unusable = pc.filter(names, pc.match_substring_regex(names, "^$|[\\r\\n]"))
    if len(unusable):
        name = unusable[0].as_py()
        fault = f"a line break in {name!r}" if name else "an empty name"
        raise errors.UserError(
            f"{source}: column {column} has {fault}; every name must be one line of text"
        )


@dataclass(frozen=True)
class Histories:
    """The train part, history after history, each in the order of its events.

    items: int32 [events], codes from 1.
    times: int64 [events], seconds (or the line's number, see `Dataset.notes`); None for a log
        without times.
    starts: int64 [histories + 1]; history h is items[starts[h] : starts[h + 1]], one event or more.
    """

    items: np.ndarray
    times: np.ndarray | None
    starts: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Returns the number of events of each history, int64 [histories]."""
        return np.diff(self.starts)


def begins_moment(train: Histories, settings: configs.SplitConfig) -> np.ndarray:
    """Returns which events are the first of a history's moment, bool [events].

    Events of one time are one moment, such as a basket. In leave_last_out, and in a log without
    times, only order counts: each event is a moment.
    """
    begins = np.zeros(len(train.items), bool)
    begins[train.starts[:-1]] = True
    if train.times is None or settings.kind == "leave_last_out":
        begins[:] = True
    else:
        begins[1:] |= np.diff(train.times) != 0
    return begins


@dataclass(frozen=True)
class Queries:
    """Queries for the next item: of one history, at one time, with one right answer or more.

    Items that a history takes at the same time (a basket) are one query: no item is known before
    the others, and each is right. Items without a code (first seen after the train part) are absent
    from the histories, and targets of code 0.

    items: int32 [known events of the whole log], codes from 1, history after history in order.
    history_start, history_end: int64 [queries]; the query knows items[history_start : history_end].
        Both are equal if nothing that came before has a code.
    targets: int32 [targets], codes, 0 = an item without one: a miss for every ranking.
    target_starts: int64 [queries + 1]; query q is answered by any of
        targets[target_starts[q] : target_starts[q + 1]].
    """

    items: np.ndarray
    history_start: np.ndarray
    history_end: np.ndarray
    targets: np.ndarray
    target_starts: np.ndarray

    def __len__(self) -> int:
        return len(self.history_start)

    @property
    def lengths(self) -> np.ndarray:
        """Returns the number of known items before each query, int64 [queries]."""
        return self.history_end - self.history_start

    @property
    def target_queries(self) -> np.ndarray:
        """Returns the query that each target answers, int64 [targets], ascending."""
        return np.repeat(np.arange(len(self)), np.diff(self.target_starts))

    def recent(self, queries: slice | np.ndarray, longest: int) -> np.ndarray:
        """Returns the last `longest` known items of each history: int32 [rows, longest].

        They stand in order at the row's beginning, with zeros after them.
        """
        ends = self.history_end[queries]
        starts = np.maximum(self.history_start[queries], ends - longest)
        return padded(self.items, starts, ends - starts, longest)

    def seen(self, queries: slice | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns row and item code of each known item, with repeats, both int [events]."""
        lengths = self.lengths[queries]
        rows = np.repeat(np.arange(len(lengths)), lengths)
        before = np.cumsum(lengths) - lengths
        places = np.arange(len(rows)) + np.repeat(self.history_start[queries] - before, lengths)
        return rows, self.items[places]

    def take(self, queries: np.ndarray) -> Queries:
        """Returns some of the queries, by their numbers, with all their targets."""
        counts = np.diff(self.target_starts)[queries]
        starts = np.concatenate([[0], np.cumsum(counts)])
        offsets = np.repeat(self.target_starts[queries] - starts[:-1], counts)
        return Queries(
            items=self.items,
            history_start=self.history_start[queries],
            history_end=self.history_end[queries],
            targets=self.targets[np.arange(starts[-1]) + offsets],
            target_starts=starts,
        )

    def sample(self, most: int, seed: int) -> Queries:
        """Draws at most `most` of the queries without repetition, in their order."""
        if len(self) <= most:
            return self
        drawn = np.random.default_rng(seed).choice(len(self), most, replace=False)
        return self.take(np.sort(drawn))


def padded(items: np.ndarray, starts: np.ndarray, lengths: np.ndarray, longest: int) -> np.ndarray:
    """Returns runs of `items`, padded with zeros: int32 [runs, longest]."""
    steps = np.arange(longest)
    inside = steps < lengths[:, None]
    places = np.where(inside, starts[:, None] + steps, 0)
    if not len(items):
        return np.zeros(places.shape, np.int32)
    return np.where(inside, items[places], 0).astype(np.int32)
