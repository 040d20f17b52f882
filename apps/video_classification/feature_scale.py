"""`FeatureScale`: features of any unit, brought to mean 0 and deviation 1."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="video_classification")
class FeatureScale(keras.layers.Layer):
    """(x - mean) / deviation of each feature, as `fit` found them; until then x.

    Call arguments:
        features: (batch, time, features).
    """

    def build(self, shape: tuple[Any, ...]) -> None:
        size = (shape[-1],)
        self.mean = self.add_weight(size, initializer="zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(
            size, initializer="ones", trainable=False, name="deviation"
        )
        self.built = True

    def fit(self, features: np.ndarray, lengths: np.ndarray) -> None:
        """Takes mean and deviation from clips.

        Args:
            features: float [clips, time, features]; a first frame, from which nothing has moved
                yet, does not count where others follow.
            lengths: int [clips], real frames.
        """
        places = np.arange(features.shape[1])
        counts = (places < lengths[:, None]) & ((places > 0) | (lengths[:, None] == 1))
        rows = features[counts].astype(np.float64)
        self.mean.assign(rows.mean(axis=0))
        self.deviation.assign(np.maximum(rows.std(axis=0), 1e-3))  # of what never varies, too

    def call(self, features: Any) -> Any:
        dtype = self.compute_dtype
        return (features - ops.cast(self.mean, dtype)) / ops.cast(self.deviation, dtype)

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return shape
