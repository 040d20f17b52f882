"""The items that a training step asks for: of the moment that comes next, as in the test."""

from __future__ import annotations

import numpy as np

from apps.recommendation import config as configs
from apps.recommendation.histories import Histories


class NextMoments:
    """For each event of the train part, what its history took at the next moment.

    A test asks for what comes after a basket, and never for the rest of one. So an item of a basket
    has an item of the next basket as its target, drawn anew at each step; where no two events of a
    history are at one time, that is simply the next item. In leave_last_out, and in a log without
    times, order is all that counts.

    Args:
        train: histories to learn from.
        settings: of the split.
    """

    def __init__(self, train: Histories, settings: configs.SplitConfig) -> None:
        self._items = np.append(train.items, np.int32(0))  # one more, where nothing follows
        events = len(train.items)
        begins = np.zeros(events, bool)  # of a moment
        begins[train.starts[:-1]] = True
        if train.times is None or settings.kind == "leave_last_out":
            begins[:] = True
        else:
            begins[1:] |= np.diff(train.times) != 0
        firsts = np.append(np.flatnonzero(begins), events)
        moment = np.cumsum(begins) - 1
        self._first = firsts[moment + 1]
        ends = np.append(firsts, events)[moment + 2]
        # Nothing follows where the next moment is another history's
        within = np.repeat(train.starts[1:], np.diff(train.starts)) > self._first
        self._count = np.where(within, ends - self._first, 0)

    def draw(
        self, starts: np.ndarray, lengths: np.ndarray, window: int, drawn: np.random.Generator
    ) -> np.ndarray:
        """Targets of runs of events: int32 (runs, window), 0 where nothing follows."""
        targets = np.zeros((len(starts), window), np.int32)
        inside = np.arange(window) < lengths[:, None]
        events = (starts[:, None] + np.arange(window))[inside]
        count = self._count[events]
        places = self._first[events] + (drawn.random(len(events)) * count).astype(np.int64)
        targets[inside] = np.where(count > 0, self._items[places], 0)
        return targets
