"""`FrameMask`: which frames of a padded batch are meant."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="speech_commands")
class FrameMask(keras.layers.Layer):
    """True where frame k of a layer, which stands at feature frame s · k, is in first … end - 1.

    Args:
        frame_stride: s, feature frames to one frame of the layer.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        values: (batch, frames, …), of which only the number of frames is read.
        first, end: int32 (batch,), in feature frames.

    Returns:
        bool (batch, frames).
    """

    def __init__(self, frame_stride: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self.frame_stride = frame_stride
        self.supports_masking = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """What comes out is a mask and has none."""

    def call(self, values: Any, first: Any, end: Any) -> Any:
        places = self.frame_stride * ops.arange(ops.shape(values)[1], dtype="int32")
        return ops.logical_and(places >= first[:, None], places < end[:, None])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "frame_stride": self.frame_stride}
