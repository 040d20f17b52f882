"""What a training step learns from when rows carry their state: sessions in parallel.

Hidasi et al. (2016), section 3.1.1: each row of a batch goes through a session from its first event
to its last, then through the next session that no row has had. The state goes with the row, and is
empty again where a session begins. They take one event a step; a window of several is the same
walk with the gradient going back over the window.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from apps.recommendation import config as configs
from apps.recommendation.example_batches import refuse_nothing_to_learn
from apps.recommendation.histories import Histories, padded
from apps.recommendation.next_moments import NextMoments

_TARGETS = 2  # what a seed is for


def endless(train: Histories, config: configs.Config, first_step: int = 0) -> tf.data.Dataset:
    """An endless stream of windows to carry a state through; a function of seed and step alone.

    A pass lays the windows of all histories of two events or more in a row, history by history in
    an order of its own, and cuts that into batch_size parts of equal length, one a row. Each event
    but the first of a history is a target exactly once a pass. A step holds one history in a row:
    the last window of a history has zeros behind it, and at the end of a pass a row may be empty.

    Returns:
        A data set of (inputs, targets): inputs["history"] int32 [batch_size, window_items], codes
        and zeros behind; inputs["fresh"] bool [batch_size], whether the row must begin this window
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
                np.random.default_rng((config.seed, _TARGETS, int(step))),
            ),
        )

    def batch(step: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        history, fresh, targets = tf.numpy_function(read, [step], [tf.int32, tf.bool, tf.int32])
        history, targets = (tf.ensure_shape(part, [rows, window]) for part in (history, targets))
        return {"history": history, "fresh": tf.ensure_shape(fresh, [rows])}, targets

    return tf.data.Dataset.counter(first_step).map(batch).prefetch(4)
