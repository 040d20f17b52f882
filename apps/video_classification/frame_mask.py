"""`FrameMask`: which frames of a padded batch are a clip's."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="video_classification")
class FrameMask(keras.layers.Layer):
    """True at the first `length` frames of each row.

    Call arguments:
        values: (batch, time, …), of which only the number of frames is read.
        length: int32 (batch,).

    Returns:
        bool (batch, time).
    """

    def build(self, *_: Any) -> None:
        self.built = True

    def call(self, values: Any, length: Any) -> Any:
        return ops.arange(ops.shape(values)[1], dtype="int32") < length[:, None]
