"""Codes of items by popularity in the train part, and the three parts in these codes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps import errors
from apps.recommendation import config as configs
from apps.recommendation import splits
from apps.recommendation.histories import Histories, Queries
from apps.recommendation.interactions import Interactions


@dataclass(frozen=True)
class CodedParts:
    """What `data.Dataset` holds of the coded log; see there."""

    item_names: tuple[str, ...]
    titles: tuple[str, ...] | None
    item_counts: np.ndarray
    train: Histories
    validation: Queries
    test: Queries
    counts: dict[str, int]
    fingerprint: str


def code(
    log: Interactions, parts: np.ndarray, settings: configs.SplitConfig, source: str
) -> CodedParts:
    """Gives the items of the train part codes, and makes histories and queries of the log.

    Items with fewer than `minimum_item_events` events in train get none, like those that train
    doesn't hold. A query is all that one history takes at one time in one part (one event each in
    leave_last_out, where order is all that counts). What has nothing before it in its history is
    no query: nobody could answer it but by popularity; it is counted.

    `counts` has, beside events, users, histories and items of the whole log and of each part:
        duplicate_rows: left out in reading.
        rare_items: of train, without a code as they are too rare.
        <part>_targets, <part>_queries: what is asked in validation and test.
        <part>_cold_targets: those whose item has no code; misses for everyone.
        <part>_cold_items: different items among them.
        <part>_cold_users: users with events there and none in train.
        <part>_unasked_events: events with nothing before them in their history.

    Raises:
        UserError: fewer than two items in train, or a part without a query.
    """
    in_train = parts == splits.TRAIN
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
        for name, part in (("validation", splits.VALIDATION), ("test", splits.TEST))
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
    for name, part in (("validation", splits.VALIDATION), ("test", splits.TEST)):
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
    """The order of most events first, then of names; as text, whatever their lengths."""
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
    """The queries of the events of one part; see `Queries`."""
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
    """SHA-256 over every event's code, time, history and part, and over the names of the items."""
    digest = hashlib.sha256()
    for array in (coded, log.times, log.sessions, parts):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update("\n".join(log.item_names[known].tolist()).encode())
    return digest.hexdigest()
