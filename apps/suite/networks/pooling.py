"""`EvidencePooling`: from what each frame tells to what a clip is.

`FrameMask`: which frames of a padded batch are meant.
"""

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


NOTHING = -1e30
"""Attention of a frame that does not count; finite, so that no difference of two is undefined."""


@keras.saving.register_keras_serializable(package="speech_commands")
class EvidencePooling(keras.layers.Layer):
    """Pools evidence by attention over frames: logits = Σ_t softmax(a)_t u_t.

    Args:
        newest_only: only the last pooled frame counts, whatever its attention.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        evidence: u (batch, frames, classes).
        attention: a (batch, frames).
        pooled: bool (batch, frames), the frames that count.

    Returns:
        Logits (batch, classes). A row without a frame that counts pools all of them evenly.
    """

    def __init__(self, newest_only: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.newest_only = newest_only
        self.supports_masking = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """What comes out has no frames."""

    def call(self, evidence: Any, attention: Any, pooled: Any) -> Any:
        if self.newest_only:
            later = ops.concatenate([pooled[:, 1:], ops.zeros_like(pooled[:, :1])], axis=1)
            pooled = ops.logical_and(pooled, ops.logical_not(later))
        return pool(evidence, ops.where(pooled, attention, NOTHING))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "newest_only": self.newest_only}


def pool(evidence: Any, attention: Any) -> Any:
    """Σ_t softmax(a)_t u_t of (…, frames, classes) and (…, frames): (…, classes)."""
    weights = ops.exp(attention - ops.logsumexp(attention, axis=-1, keepdims=True))
    return ops.sum(weights[..., None] * evidence, axis=-2)
