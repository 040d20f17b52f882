"""Pools the evidence of frames into logits of a sequence, and masks frames of padded batches."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

NOTHING = -1e30
"""Attention of a frame that does not count; finite, so that differences of two are defined."""


@keras.saving.register_keras_serializable(package="lstm_tasks")
class EvidencePooling(keras.layers.Layer):
    """Pools evidence by attention over frames: logits = Σ_t softmax(a)_t u_t.

    Args:
        newest_only: only the last frame that counts is taken, whatever its attention.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        evidence: u (batch, frames, classes).
        counted: bool (batch, frames), False for frames that do not count.
        attention: a (batch, frames); if it is not given, all frames count alike.

    Returns:
        Logits (batch, classes). A row without a frame that counts pools all of them evenly.
    """

    def __init__(self, newest_only: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.newest_only = newest_only
        self.supports_masking = True

    def build(self, *_: Any) -> None:
        self.built = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Returns no mask: the output has no frames."""

    def call(self, evidence: Any, counted: Any, attention: Any = None) -> Any:
        if attention is None:
            attention = ops.zeros_like(evidence[..., 0])
        if self.newest_only:
            later = ops.concatenate([counted[:, 1:], ops.zeros_like(counted[:, :1])], axis=1)
            counted = ops.logical_and(counted, ops.logical_not(later))
        return pool(evidence, ops.where(counted, attention, NOTHING))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "newest_only": self.newest_only}


def pool(evidence: Any, attention: Any) -> Any:
    """Returns Σ_t softmax(a)_t u_t of (…, frames, classes) and (…, frames): (…, classes)."""
    weights = ops.exp(attention - ops.logsumexp(attention, axis=-1, keepdims=True))
    return ops.sum(weights[..., None] * evidence, axis=-2)


@keras.saving.register_keras_serializable(package="lstm_tasks")
class FrameMask(keras.layers.Layer):
    """Marks the frames of each row that lie in a range of feature frames.

    Frame k of the values stands at feature frame s · k.

    Args:
        frame_stride: s, feature frames per frame of the values.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        values: (batch, frames, …), of which only the number of frames is read.
        end: int32 (batch,), end of the range (exclusive), in feature frames.
        first: int32 (batch,), start of the range; 0 if it is not given.

    Returns:
        bool (batch, frames), True where first ≤ s · k < end.
    """

    def __init__(self, frame_stride: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self.frame_stride = frame_stride
        self.supports_masking = True

    def build(self, *_: Any) -> None:
        self.built = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Returns no mask: the output is one itself."""

    def call(self, values: Any, end: Any, first: Any = None) -> Any:
        places = self.frame_stride * ops.arange(ops.shape(values)[1], dtype="int32")
        marked = places < end[:, None]
        return marked if first is None else ops.logical_and(places >= first[:, None], marked)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "frame_stride": self.frame_stride}
