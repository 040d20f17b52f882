"""`FrameByFrame`: one layer for every frame, as `keras.layers.TimeDistributed`, in one call."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="video_classification")
class FrameByFrame(keras.layers.Wrapper):
    """Applies a layer to every frame by itself, all frames of the batch as one larger batch.

    What it computes is what `TimeDistributed` computes; that one traces the layer for one frame
    and maps it over time, where a convolution then runs on one small batch after the other.

    Args:
        layer: of (batch, …), such as a convolution or a whole model.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        frames: (batch, time, …); all but the first two extents static.
        training: handed on to a layer that takes it.

    Returns:
        (batch, time, …).
    """

    def __init__(self, layer: keras.Layer, **options: Any) -> None:
        super().__init__(layer, **options)
        self.supports_masking = True

    def build(self, shape: tuple[Any, ...]) -> None:
        if not self.layer.built:
            self.layer.build((None, *shape[2:]))
        self.built = True

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        one = self.layer.compute_output_shape((None, *shape[2:]))
        return (shape[0], shape[1], *one[1:])

    def call(self, frames: Any, training: bool | None = None) -> Any:
        batch, time = ops.shape(frames)[:2]
        together = ops.reshape(frames, (batch * time, *frames.shape[2:]))
        options = {"training": training} if self.layer._call_has_training_arg else {}
        found = self.layer(together, **options)
        return ops.reshape(found, (batch, time, *found.shape[1:]))
