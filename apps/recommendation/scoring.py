"""The scores of a model for queries, as `ranking` asks for them."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from apps.recommendation.histories import Queries


class Scorer:
    """Gives every item a score for each query: a `ranking.ScoreBlock`.

    It reads the weights as they are at each call, and traces the model once for all shapes.

    Args:
        network: of `model.build`.
        history_items: how many of the most recent items it reads.
    """

    def __init__(self, network: keras.Model, history_items: int) -> None:
        self.history_items = history_items
        self._answer = tf.function(
            lambda history: network(history, training=False),
            input_signature=[tf.TensorSpec((None, None), tf.int32)],
            autograph=False,
        )

    def __call__(self, queries: Queries) -> np.ndarray:
        """float32 (queries, items); column 0 is the item of code 1."""
        return self.of_codes(queries.recent(slice(None), self.history_items))

    def of_codes(self, history: np.ndarray) -> np.ndarray:
        """The same for codes int32 (rows, time), 0 wherever there is no item."""
        return self._answer(tf.constant(history, tf.int32)).numpy()
