"""Divides a log: into histories, then into train, validation and test, whose items get codes.

Histories are those of users, of a column, or end at a gap in time. The parts are divided by the
clock for all users at once, or by each history's last events. Codes follow the popularity in train.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.recommendation import config as configs
from apps.recommendation.histories import Histories, Interactions, Log, Queries
from apps.suite import errors


def histories_of(log: Log, settings: configs.SessionsConfig) -> Interactions:
    """Sorts the log into histories, each in the order of time, then of the log.

    A row with the same user, session, item and time as an earlier one is a duplicate and left out;
    in a log without times nothing is. Histories stand in the order of their users' first rows.

    Raises:
        UserError: sessions by a gap in a log without times, by a column that isn't there, or a
            session that two users share.
    """
    users = log.users.indices.to_numpy()
    items = log.items.indices.to_numpy()
    rows = np.arange(len(users))
    times = rows if log.times is None else log.times
    owners = users
    if settings.by == "column":
        if log.sessions is None:
            raise errors.UserError(f"{log.source}: has no sessions; use --sessions.by user")
        owners = log.sessions.indices.to_numpy()
        _refuse_shared(log.sessions, users, log.source)
    elif settings.by == "gap" and log.times is None:
        raise errors.UserError(
            f"{log.source}: has no times, and sessions.by gap needs them; use --sessions.by user"
        )
    order = np.lexsort((times, owners))  # stable: equal times stay in the order of the log
    duplicate = np.zeros(len(order), bool)
    if log.times is not None:
        duplicate = _duplicates(owners, items, times, order)
    kept = order[~duplicate]
    users, items, times, owners = users[kept], items[kept], times[kept], owners[kept]
    begins = np.ones(len(kept), bool)
    begins[1:] = owners[1:] != owners[:-1]
    if settings.by == "gap":
        begins[1:] |= np.diff(times) > settings.gap_minutes * 60
    return Interactions(
        users=users.astype(np.int32),
        items=items.astype(np.int32),
        times=times.astype(np.int64),
        sessions=(np.cumsum(begins) - 1).astype(np.int32),
        user_names=_objects(log.users),
        item_names=_objects(log.items),
        titles=log.titles,
        timed=log.times is not None,
        duplicates=int(duplicate.sum()),
    )


def _duplicates(
    owners: np.ndarray, items: np.ndarray, times: np.ndarray, order: np.ndarray
) -> np.ndarray:
    """Returns bool [events], in `order`: true if an earlier row has the same owner, time and item.

    Only moments with several events are looked at: most logs have few.
    """
    same = (np.diff(owners[order]) == 0) & (np.diff(times[order]) == 0)
    shared = np.flatnonzero(np.append(same, False) | np.append(False, same))
    moments = np.cumsum(np.append(True, ~same))[shared]
    codes = items[order[shared]]
    by_item = np.lexsort((codes, moments))  # stable: the earliest of equals comes first
    repeats = (np.diff(moments[by_item]) == 0) & (np.diff(codes[by_item]) == 0)
    found = np.zeros(len(order), bool)
    found[shared[by_item[1:][repeats]]] = True
    return found


def _refuse_shared(sessions: pa.DictionaryArray, users: np.ndarray, source: str) -> None:
    owners = sessions.indices.to_numpy()
    user_of = np.empty(len(sessions.dictionary), users.dtype)
    user_of[owners] = users
    other = np.flatnonzero(user_of[owners] != users)
    if len(other):
        name = sessions.dictionary[int(owners[other[0]])].as_py()
        raise errors.UserError(
            f"{source}: session {name!r} has events of two users; give each session a name of "
            "its own"
        )


def _objects(names: pa.DictionaryArray) -> np.ndarray:
    return names.dictionary.to_numpy(zero_copy_only=False)


TRAIN, VALIDATION, TEST = range(3)


@dataclass(frozen=True)
class Split:
    """The part of each event, int8 [events], and a sentence on the division."""

    parts: np.ndarray
    sentence: str


def divide(log: Interactions, settings: configs.SplitConfig, source: str) -> Split:
    """Divides the events as `settings.kind` says; UserError where a part would be empty."""
    if settings.kind == "leave_last_out":
        return _leave_last_out(log, source)
    return _global_time(log, settings, source)


def _global_time(log: Interactions, settings: configs.SplitConfig, source: str) -> Split:
    """Divides at two borders in time; an event at a border comes after it, so no moment is cut."""
    if not log.timed:
        raise errors.UserError(
            f"{source}: has no times, and split.kind global_time needs them; "
            "use --split.kind leave_last_out"
        )
    times, count = np.sort(log.times), len(log.times)
    test = int(count * (1 - settings.test_fraction))
    validation = int(count * (1 - settings.test_fraction - settings.validation_fraction))
    test, validation = min(test, count - 1), min(validation, count - 1)
    borders = times[validation], times[test]
    if not times[0] < borders[0] < borders[1]:
        raise errors.UserError(
            f"{source}: the times are too few and alike to divide: train would be before "
            f"{moment(borders[0])}, validation before {moment(borders[1])}, the log begins "
            f"{moment(times[0])}; use --split.kind leave_last_out, or other fractions"
        )
    parts = (log.times >= borders[0]).astype(np.int8) + (log.times >= borders[1])
    return Split(
        parts,
        f"by time, for all users at once: train before {moment(borders[0])}, validation before "
        f"{moment(borders[1])}, test from then on; a query knows all that the history holds "
        "before it",
    )


def _leave_last_out(log: Interactions, source: str) -> Split:
    """Takes each history's last event as test, the one before as validation, if it has three."""
    lengths = np.bincount(log.sessions)
    last = np.cumsum(lengths) - 1
    long = last[lengths >= 3]
    if not len(long):
        raise errors.UserError(
            f"{source}: no history has three events, which split.kind leave_last_out needs; "
            "give longer histories"
        )
    parts = np.full(len(log.sessions), TRAIN, np.int8)
    parts[long], parts[long - 1] = TEST, VALIDATION
    return Split(
        parts,
        "leave last out: of each history with three events or more the last is test, the one "
        "before it validation; other users' later events are in train, so that the figures are "
        "for comparison with papers and flatter",
    )


def moment(seconds: int) -> str:
    """Returns a time as a reader knows it; small numbers are not dates and stay numbers."""
    if abs(int(seconds)) < 10_000_000:
        return str(int(seconds))
    return str(np.datetime64(int(seconds), "s")).removesuffix("T00:00:00")


@dataclass(frozen=True)
class CodedParts:
    """The coded log, for `data.Dataset`; see there."""

    item_names: tuple[str, ...]
    titles: tuple[str, ...] | None
    item_counts: np.ndarray
    train: Histories
    validation: Queries
    test: Queries
    counts: dict[str, int]
    fingerprint: str


def code_parts(
    log: Interactions, parts: np.ndarray, settings: configs.SplitConfig, source: str
) -> CodedParts:
    """Gives the items of the train part codes, and makes histories and queries of the log.

    Items with fewer than `minimum_item_events` events in train get no code, like items that
    train lacks. A query is everything that one history takes at one time in one part (one event in
    leave_last_out, where only order counts). An event with nothing before it in its history is not
    a query, since only popularity could answer it; it is counted.

    `counts` has, beside events, users, histories and items of the whole log and of each part:
        duplicate_rows: left out in reading.
        rare_items: of train, too rare for a code.
        <part>_targets, <part>_queries: asked in validation and test.
        <part>_cold_targets: targets whose item has no code; misses for everyone.
        <part>_cold_items: different items among them.
        <part>_cold_users: users with events there and none in train.
        <part>_unasked_events: events with nothing before them in their history.

    Raises:
        UserError: fewer than two items in train, or a part without a query.
    """
    in_train = parts == TRAIN
    counts_by_item = np.bincount(log.items[in_train], minlength=len(log.item_names))
    known = np.flatnonzero(counts_by_item >= settings.minimum_item_events)
    known = known[_by_popularity(counts_by_item[known], log.item_names[known])]
    if len(known) < 2:
        raise errors.UserError(
            f"{source}: the train part has {len(known)} items with "
            f"{settings.minimum_item_events} events or more; two or more are needed to rank"
        )
    codes = np.zeros(len(log.item_names), np.int32)
    codes[known] = np.arange(1, len(known) + 1)
    coded = codes[log.items]
    learned = in_train & (coded > 0)
    asked = {
        name: _queries(log, coded, parts == part, by_order=settings.kind == "leave_last_out")
        for name, part in (("validation", VALIDATION), ("test", TEST))
    }
    for name, queries in asked.items():
        if not len(queries):
            raise errors.UserError(
                f"{source}: no event of the {name} part has another one before it in its history; "
                f"give longer histories or a larger split.{name}_fraction"
            )
    counts = {
        "events": len(log.items),
        "users": len(log.user_names),
        "histories": int(log.sessions[-1]) + 1,
        "items": len(log.item_names),
        "duplicate_rows": log.duplicates,
        "train_events": int(in_train.sum()),
        "train_users": len(np.unique(log.users[in_train])),
        "train_histories": len(np.unique(log.sessions[in_train])),
        "train_items": len(known),
        "rare_items": int((counts_by_item > 0).sum()) - len(known),
    }
    for name, part in (("validation", VALIDATION), ("test", TEST)):
        counts |= _counts(name, log, coded, parts == part, in_train, asked[name])
    titles = None if log.titles is None else tuple(log.titles[known].tolist())
    return CodedParts(
        item_names=tuple(log.item_names[known].tolist()),
        titles=titles,
        item_counts=counts_by_item[known].astype(np.int64),
        train=_histories(coded[learned], log, learned),
        validation=asked["validation"],
        test=asked["test"],
        counts=counts,
        fingerprint=_fingerprint(log, coded, parts, known),
    )


def _by_popularity(counts: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Returns the order of most events first, then of names as text."""
    table = pa.table({"count": counts, "name": pa.array(names, pa.string())})
    keys = [("count", "descending"), ("name", "ascending")]
    return pc.sort_indices(table, sort_keys=keys).to_numpy()


def _histories(items: np.ndarray, log: Interactions, kept: np.ndarray) -> Histories:
    begins = np.flatnonzero(np.append(True, np.diff(log.sessions[kept]) != 0))
    times = log.times[kept] if log.timed else None
    return Histories(items, times, np.append(begins, len(items)).astype(np.int64))


def _queries(
    log: Interactions, coded: np.ndarray, inside: np.ndarray, *, by_order: bool
) -> Queries:
    """Returns the queries of the events of one part; see `Queries`."""
    new_history = np.append(True, np.diff(log.sessions) != 0)
    new_moment = new_history.copy()
    new_moment[1:] |= by_order | (np.diff(log.times) != 0)
    events = np.arange(len(coded))
    history_first = np.maximum.accumulate(np.where(new_history, events, 0))
    moment_first = np.maximum.accumulate(np.where(new_moment, events, 0))
    asked = np.flatnonzero(inside & (moment_first > history_first))
    query_first, starts = np.unique(moment_first[asked], return_index=True)
    # Places among the events that have a code: what a history is made of
    known_before = np.append(0, np.cumsum(coded > 0))
    return Queries(
        items=coded[coded > 0],
        history_start=known_before[history_first[query_first]],
        history_end=known_before[query_first],
        targets=coded[asked],
        target_starts=np.append(starts, len(asked)).astype(np.int64),
    )


def _counts(
    name: str,
    log: Interactions,
    coded: np.ndarray,
    inside: np.ndarray,
    in_train: np.ndarray,
    queries: Queries,
) -> dict[str, int]:
    cold = inside & (coded == 0)
    there = np.unique(log.users[inside])
    found = {
        "events": int(inside.sum()),
        "users": len(there),
        "queries": len(queries),
        "targets": len(queries.targets),
        "cold_targets": int((queries.targets == 0).sum()),
        "cold_items": len(np.unique(log.items[cold])),
        "cold_users": len(np.setdiff1d(there, log.users[in_train])),
        "unasked_events": int(inside.sum()) - len(queries.targets),
    }
    return {f"{name}_{key}": count for key, count in found.items()}


def _fingerprint(log: Interactions, coded: np.ndarray, parts: np.ndarray, known: np.ndarray) -> str:
    """Returns the SHA-256 of all events' codes, times, histories and parts, and of item names."""
    digest = hashlib.sha256()
    for array in (coded, log.times, log.sessions, parts):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update("\n".join(log.item_names[known].tolist()).encode())
    return digest.hexdigest()
