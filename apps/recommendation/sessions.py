"""Histories out of a log: by user, by a column, or by a gap in time; sorted, none twice."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from apps import errors
from apps.recommendation import config as configs
from apps.recommendation.interactions import Interactions, Log


def histories(log: Log, settings: configs.SessionsConfig) -> Interactions:
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
    """bool [events], in `order`: whether an earlier row has the same owner, time and item.

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
