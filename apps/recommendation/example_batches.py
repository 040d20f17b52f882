"""What a training step learns from: windows of histories, side by side, padded."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from apps import errors
from apps.recommendation import config as configs
from apps.recommendation.histories import Histories, padded
from apps.recommendation.next_moments import NextMoments

_ORDER, _STARTS, _TARGETS = range(3)  # what a seed is for


def endless(train: Histories, config: configs.Config, first_step: int = 0) -> tf.data.Dataset:
    """An endless stream of windows, a function of the seed and the step alone.

    A pass goes, in an order of its own, through all histories of two events or more; through one of
    n events ceil((n - 1) / history_items) times, so that each event is a target about once a pass.
    A window has history_items targets at most. In a longer history it starts at a place drawn
    anew, half a window more often at either end, which fewer windows would reach otherwise.

    Returns:
        A data set of (inputs, targets): inputs["history"] int32 [batch_size, history_items], codes
        at the row's beginning and zeros behind; targets int32 likewise, an item that
        comes next at each step (see `next_moments`), 0 where there is none.
    """
    rows, window = config.training.batch_size, config.model.history_items
    lengths = train.lengths
    visits = -(-(lengths - 1) // window)  # none for a single event
    visited = np.repeat(np.arange(len(lengths)), visits)
    refuse_nothing_to_learn(visited)

    following = NextMoments(train, config.split)

    @functools.lru_cache(maxsize=2)
    def order(number: int) -> np.ndarray:
        return np.random.default_rng((config.seed, _ORDER, number)).permutation(visited)

    def read(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        places = np.arange(int(step) * rows, (int(step) + 1) * rows)
        passes = places // len(visited)
        chosen = np.concatenate(
            [order(int(n))[places[passes == n] % len(visited)] for n in np.unique(passes)]
        )
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
    """UserError where no history has an item that follows another."""
    if not len(visited):
        raise errors.UserError(
            "no history has two events in the train part: there is no next item to learn; "
            "give longer histories, or sessions.by user"
        )
