"""Batches of sequences of about equal length, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from apps.suite.sequences import ragged
from apps.suite.training import order as training_order

_POOL = 32  # batches that are sorted by length together

Make = Callable[[np.ndarray, np.random.Generator], Sequence[np.ndarray]]
"""Makes the arrays of a batch: of indices int64 [batch], with draws of its own."""


class Buckets:
    """Endless order of batches, a function of the seed and the step alone.

    A pass goes through all sequences once, but for those that do not fill a batch; each pass leaves
    out others. Sequences are drawn in an order of the pass, sorted by length within pools of
    32 batches, and cut into batches, which come in a drawn order again (Khomenko et al. 2016,
    "Accelerating recurrent neural network training using sequence bucketing").

    Args:
        lengths: int [sequences], in steps.
        batch_size: sequences in a batch; fewer sequences than that fill a batch several times.
        seed: of the run, and a number that no other draw of the task takes beside it.
        sort: false leaves the drawn order as it is.
    """

    def __init__(
        self, lengths: np.ndarray, batch_size: int, seed: tuple[int, int], sort: bool = True
    ) -> None:
        repeats = -(-batch_size // len(lengths)) if len(lengths) < batch_size else 1
        examples = np.tile(np.arange(len(lengths)), repeats)
        self._lengths, self._batch, self._sort = lengths, batch_size, sort
        self.seed = seed
        self._order = training_order.Order(examples, seed)
        self._examples = len(examples)
        self._pass: tuple[int, np.ndarray] = (-1, np.zeros((0, batch_size), np.int64))

    @property
    def batches_per_pass(self) -> int:
        """Returns the number of batches in a pass."""
        return self._examples // self._batch

    def batch(self, step: int) -> np.ndarray:
        """Returns the sequences of a step, int64 [batch_size]."""
        number, place = divmod(step, self.batches_per_pass)
        if self._pass[0] != number:
            self._pass = (number, self._drawn(number))
        return self._pass[1][place]

    def _drawn(self, number: int) -> np.ndarray:
        count = self.batches_per_pass * self._batch
        found = self._order.take(number * self._examples, count)
        if self._sort:
            pool = _POOL * self._batch
            found = np.concatenate(
                [
                    part[np.argsort(self._lengths[part], kind="stable")]
                    for part in np.split(found, range(pool, count, pool))
                ]
            )
        draw = np.random.default_rng((*self.seed, number, 1))
        return draw.permutation(found.reshape(-1, self._batch))


def endless(
    buckets: Buckets, make: Make, specs: Sequence[tf.TensorSpec], first_step: int = 0
) -> tf.data.Dataset:
    """Streams batches without end, from step `first_step` on, as tuples of tensors.

    Args:
        buckets: say which sequences a step takes.
        make: makes the arrays of a batch; its draws depend on the seed and the step alone.
        specs: of these arrays.
        first_step: number of the first batch, in a training that goes on.
    """

    def read(step: np.ndarray) -> list[np.ndarray]:
        draw = np.random.default_rng((*buckets.seed, int(step), 2))
        arrays = make(buckets.batch(int(step)), draw)
        return [
            np.asarray(array, spec.dtype.as_numpy_dtype)
            for array, spec in zip(arrays, specs, strict=True)
        ]

    def batch(step: tf.Tensor) -> tuple[tf.Tensor, ...]:
        found = tf.numpy_function(read, [step], [spec.dtype for spec in specs])
        return tuple(
            tf.ensure_shape(array, spec.shape) for array, spec in zip(found, specs, strict=True)
        )

    return tf.data.Dataset.counter(first_step).map(batch).prefetch(4)


def in_order(lengths: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Yields all sequences once, int64 [at most batch_size] at a time, the shortest ones first."""
    by_length = np.argsort(lengths, kind="stable")
    for start in range(0, len(by_length), batch_size):
        yield by_length[start : start + batch_size]


def padded(sequences: ragged.Sequences, chosen: np.ndarray) -> np.ndarray:
    """Returns sequences side by side, float32 (chosen, longest, channels), NaN after their ends."""
    return filled(sequences.values, sequences.starts, chosen, np.float32(np.nan))


def filled(array: np.ndarray, starts: np.ndarray, chosen: np.ndarray, fill: Any) -> np.ndarray:
    """Returns the chosen sequences' rows of an array [steps, …], (chosen, longest, …).

    Args:
        array: with a row for each step of all sequences.
        starts: of the sequences, see `ragged.Sequences`.
        chosen: numbers of sequences.
        fill: stands after the end of a sequence.
    """
    chosen = np.asarray(chosen, np.int64)
    lengths = np.diff(starts)[chosen]
    longest = int(lengths.max(initial=0))
    found = np.full((len(chosen), longest, *array.shape[1:]), fill, array.dtype)
    found[np.arange(longest) < lengths[:, None]] = array[ragged.rows_of(starts, chosen)]
    return found
