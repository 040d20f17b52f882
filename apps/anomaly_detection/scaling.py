"""`Scaling`: the scaler, as a layer of the model that is saved and served."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from apps.anomaly_detection import data


@keras.saving.register_keras_serializable(package="anomaly_detection")
class Scaling(keras.layers.Layer):
    """`data.preprocess`, with mean and deviation as weights that aren't trained: `fit` sets them.

    Args:
        clip_deviations: to which scaled values are cut.
        **options: those of `keras.layers.Layer`.

    Call arguments:
        values: float32 (…, features).
    """

    def __init__(self, clip_deviations: float, **options: Any) -> None:
        super().__init__(**options)
        self.clip_deviations = clip_deviations

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (input_shape[-1],)
        self.mean = self.add_weight(name="mean", shape=shape, initializer="zeros", trainable=False)
        self.deviation = self.add_weight(
            name="deviation", shape=shape, initializer="ones", trainable=False
        )

    def fit(self, mean: Any, deviation: Any) -> None:
        """Sets both, float32 (features,), from the train part; the deviations above 0."""
        self.mean.assign(mean)
        self.deviation.assign(deviation)

    def call(self, values: tf.Tensor) -> tf.Tensor:
        mean, deviation = (tf.convert_to_tensor(each) for each in (self.mean, self.deviation))
        return data.preprocess(values, mean, deviation, self.clip_deviations)

    def uncut(self, values: tf.Tensor) -> tf.Tensor:
        """The scaled values as they are: an extreme value keeps its extreme residual."""
        mean, deviation = (tf.convert_to_tensor(each) for each in (self.mean, self.deviation))
        return (values - mean) / deviation

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "clip_deviations": self.clip_deviations}
