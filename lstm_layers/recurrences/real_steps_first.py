"""`RealStepsFirst`: the steps of each row in an order in which the masked ones stand last.

A loop that knows no mask gives the right values at a row's real steps if these come first: what
follows changes nothing before it. Put back in their places, with the last value before a masked
step at that step, they are those of a loop that copies its states where the mask is false.
"""

from __future__ import annotations

import tensorflow as tf


class RealStepsFirst:
    """An order of the steps of each row, and the way back.

    Args:
        mask: (time, batch) bool, any gaps.

    Attributes:
        longest: int64, the number of real steps of the row that has most of them.
    """

    def __init__(self, mask: tf.Tensor) -> None:
        is_real = tf.cast(mask, tf.int32)
        self._real_so_far = tf.cumsum(is_real, axis=0)
        count = tf.reduce_sum(is_real, axis=0)
        self.longest = tf.cast(tf.reduce_max(tf.concat([[0], count], axis=0)), tf.int64)
        self._time, self._batch = tf.unstack(tf.shape(mask))
        behind = count + tf.cumsum(1 - is_real, axis=0)  # where masked steps go, plus 1
        places = self._rows(tf.where(mask, self._real_so_far, behind) - 1)
        every = tf.range(tf.size(places))
        self._order = tf.scatter_nd(places[:, None], every, tf.shape(places))

    def first(self, values: tf.Tensor) -> tf.Tensor:
        """(time, batch, size) with each row's real steps first, the masked ones behind."""
        return self._taken(values, self._order)

    def back(self, values: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """What `first` has moved, in place: at each step the value of the last real one so far.

        Args:
            values: (time, batch, size), real steps first.
            before: (batch, size), what stands where there has been no real step.

        Returns:
            (time, batch, size).
        """
        values = tf.concat([before[None], values], axis=0)
        return self._taken(values, self._rows(self._real_so_far))

    def _rows(self, steps: tf.Tensor) -> tf.Tensor:
        """Places in an array of all rows of all steps, one behind the other."""
        return tf.reshape(steps * self._batch + tf.range(self._batch), [-1])

    def _taken(self, values: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        size = values.shape[-1]
        taken = tf.gather(tf.reshape(values, [-1, size]), rows)
        return tf.reshape(taken, [self._time, self._batch, size])
