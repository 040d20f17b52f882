"""The items as vectors: one table reads a history and scores what may come next."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="recommendation")
class ItemTable(keras.layers.Layer):
    """An embedding that is tied to the output (Press and Wolf 2017), with a bias for each item.

        vector of code c = E[c - 1], of code 0 zeros
        score of code c for a vector v = v · E[c - 1] + b[c - 1]

    Weights: `embeddings` E (items, units), `bias` b (items,).

    Args:
        item_count: items that have a code, from 1.
        units: size of a vector.
        first_bias: float32 (items,) that the bias starts from; zeros if None.

    Call arguments:
        inputs: codes, int (batch, time); with `reverse`, vectors (…, units).
        reverse: whether scores are asked for.

    Returns:
        Vectors (batch, time, units); with `reverse`, scores
        (…, items) of the codes 1, 2, …
    """

    def __init__(
        self, item_count: int, units: int, first_bias: np.ndarray | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.item_count = item_count
        self.units = units
        self._first_bias = first_bias

    def build(self, input_shape: Any = None) -> None:
        self.embeddings = self.add_weight(
            shape=(self.item_count, self.units),
            initializer=keras.initializers.RandomNormal(stddev=self.units**-0.5),
            name="embeddings",
        )
        self.bias = self.add_weight(shape=(self.item_count,), initializer="zeros", name="bias")
        if self._first_bias is not None:
            self.bias.assign(self._first_bias)
        self.built = True

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        if reverse:
            return ops.matmul(inputs, ops.transpose(self.embeddings)) + self.bias
        known = ops.cast(ops.not_equal(inputs, 0), self.compute_dtype)
        vectors = ops.take(self.embeddings, ops.maximum(inputs - 1, 0), axis=0)
        return ops.cast(vectors, self.compute_dtype) * known[..., None]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "item_count": self.item_count, "units": self.units}


@keras.saving.register_keras_serializable(package="recommendation")
class HiddenItems(keras.layers.Layer):
    """Hides a share of the items of each history in training: their vectors become zeros.

    A network that may miss any item of a history cannot lean on a single one of them.

    Args:
        share: of the items, at least 0 and below 1.
        seed: of what is drawn.

    Call arguments:
        codes: int (batch, time).
        training: whether items are hidden.
    """

    def __init__(self, share: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.share = share
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, codes: Any, training: bool = False) -> Any:
        if not training or not self.share:
            return codes
        drawn = keras.random.uniform(ops.shape(codes), seed=self.seed_generator)
        return codes * ops.cast(drawn >= self.share, codes.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "share": self.share, "seed": self.seed}
