"""Makes training batches: padded windows of histories, or sessions in parallel.

Sessions in parallel carry their state from step to step (Hidasi et al. 2016, section 3.1.1): each
row of a batch goes through a session from its first event to its last, then through the next
session that no row has had. The state goes with the row, and is empty again where a session
begins. They take one event a step; a window of several is the same walk, with the gradient going
back over the window.

The targets are items of the moment that comes next, as in the test.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from apps.recommendation import config as configs
from apps.recommendation.histories import Histories, begins_moment, padded
from apps.suite import errors
from apps.suite.training import order as training_order


class NextMoments:
    """Draws, for each event of the train part, an item that its history took at the next moment.

    A test asks for what comes after a basket, and never for the rest of one. So an item of a basket
    has an item of the next basket as its target, drawn anew at each step; if no two events of a
    history are at one time, that is simply the next item. In leave_last_out, and in a log without
    times, only order counts.

    Args:
        train: histories to learn from.
        settings: of the split.
    """

    def __init__(self, train: Histories, settings: configs.SplitConfig) -> None:
        self._items = np.append(train.items, np.int32(0))  # one more, where nothing follows
        events = len(train.items)
        begins = begins_moment(train, settings)
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


_ORDER, _STARTS, _TARGETS = range(3)  # what a seed is for


def endless(train: Histories, config: configs.Config, first_step: int = 0) -> tf.data.Dataset:
    """Streams windows without end, a function of the seed and the step alone.

    A pass goes, in an order of its own, through all histories of two events or more; through one of
    n events ceil((n - 1) / history_items) times, so that each event is a target about once a pass.
    A window has history_items targets at most. In a longer history it starts at a place drawn
    anew, half a window more often at either end, which fewer windows would reach otherwise.

    Returns:
        A data set of (inputs, targets): inputs["history"] int32 [batch_size, history_items], codes
        at the row's beginning and zeros after them; targets int32 likewise, an item that
        comes next at each step (see `next_moments`), 0 where there is none.
    """
    rows, window = config.training.batch_size, config.model.history_items
    lengths = train.lengths
    visits = -(-(lengths - 1) // window)  # none for a single event
    visited = np.repeat(np.arange(len(lengths)), visits)
    refuse_nothing_to_learn(visited)

    following = NextMoments(train, config.split)
    order = training_order.Order(visited, (config.seed, _ORDER))

    def read(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chosen = order.take(int(step) * rows, rows)
        slack = np.maximum(lengths[chosen] - 1 - window, 0)
        draw = np.random.default_rng((config.seed, _STARTS, int(step)))
        reach = np.where(slack > 0, window // 2, 0)
        offsets = np.clip(draw.integers(-reach, slack + reach + 1), 0, slack)
        starts = train.starts[chosen] + offsets
        targets = np.minimum(lengths[chosen] - 1, window)
        return (
            padded(train.items, starts, targets, window),
            following.draw(
                starts,
                targets,
                window,
                np.random.default_rng((config.seed, _TARGETS, int(step))),
            ),
        )

    def batch(step: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        found = tf.numpy_function(read, [step], [tf.int32, tf.int32])
        history, targets = (tf.ensure_shape(part, [rows, window]) for part in found)
        return {"history": history}, targets

    return tf.data.Dataset.counter(first_step).map(batch).prefetch(4)


def refuse_nothing_to_learn(visited: np.ndarray) -> None:
    """Raises UserError if no history has an item that follows another."""
    if not len(visited):
        raise errors.UserError(
            "no history has two events in the train part, so the model has no next item to learn; "
            "give longer histories, or sessions.by user"
        )


_SESSION_TARGETS = 2  # what a seed is for


def endless_sessions(
    train: Histories, config: configs.Config, first_step: int = 0
) -> tf.data.Dataset:
    """Streams windows without end to carry a state through; a function of seed and step alone.

    A pass lays the windows of all histories of two events or more in a row, history by history in
    an order of its own, and cuts that into batch_size parts of equal length, one a row. Each event
    but the first of a history is a target exactly once a pass. A step holds one history in a row:
    the last window of a history has zeros after it, and at the end of a pass a row may be empty.

    Returns:
        A data set of (inputs, targets): inputs["history"] int32 [batch_size, window_items], codes
        and zeros after them; inputs["fresh"] bool [batch_size], true if a row must begin its window
        with an empty state: at a history's first window, and at a pass's first step; targets int32
        like the history, of `next_moments`, 0 where there is none.
    """
    rows, window = config.training.batch_size, config.training.window_items
    lengths = train.lengths
    windows = -(-(lengths - 1) // window)
    learned = np.flatnonzero(windows)
    refuse_nothing_to_learn(learned)
    total = int(windows.sum())
    steps_a_pass = -(-total // rows)

    following = NextMoments(train, config.split)

    @functools.lru_cache(maxsize=2)
    def walk(number: int) -> tuple[np.ndarray, np.ndarray]:
        order = np.random.default_rng((config.seed, number)).permutation(learned)
        return order, np.concatenate([[0], np.cumsum(windows[order])])

    def read(step: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        number, at = divmod(int(step), steps_a_pass)
        order, first_windows = walk(number)
        places = np.arange(rows) * steps_a_pass + at
        exists = places < total
        turns = np.searchsorted(first_windows, np.where(exists, places, 0), side="right") - 1
        chosen = order[turns]
        inside = np.where(exists, places, 0) - first_windows[turns]
        starts = train.starts[chosen] + inside * window
        targets = np.minimum(lengths[chosen] - 1 - inside * window, window) * exists
        fresh = (inside == 0) | (at == 0) | ~exists
        return (
            padded(train.items, starts, targets, window),
            fresh,
            following.draw(
                starts,
                targets,
                window,
                np.random.default_rng((config.seed, _SESSION_TARGETS, int(step))),
            ),
        )

    def batch(step: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        history, fresh, targets = tf.numpy_function(read, [step], [tf.int32, tf.bool, tf.int32])
        history, targets = (tf.ensure_shape(part, [rows, window]) for part in (history, targets))
        return {"history": history, "fresh": tf.ensure_shape(fresh, [rows])}, targets

    return tf.data.Dataset.counter(first_step).map(batch).prefetch(4)
