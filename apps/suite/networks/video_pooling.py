"""`EvidencePooling`: from what each frame tells to what a clip is.

`FrameMask`: which frames of a padded batch are a clip's.
"""

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


NOTHING = -1e30
"""Attention of a frame that does not count; finite, so that no difference of two is undefined."""


@keras.saving.register_keras_serializable(package="video_classification")
class EvidencePooling(keras.layers.Layer):
    """Pools evidence by attention over frames: logits = Σ_t softmax(a)_t u_t.

    Args:
        newest_only: only the last real frame counts, whatever its attention.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        evidence: u (batch, time, classes).
        real: bool (batch, time), the frames that count.
        attention: a (batch, time); if it is not given, all frames count alike.

    Returns:
        Logits (batch, classes). A row without a real frame pools all of them evenly.
    """

    def __init__(self, newest_only: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.newest_only = newest_only
        self.supports_masking = True

    def build(self, *_: Any) -> None:
        self.built = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """What comes out has no frames."""

    def call(self, evidence: Any, real: Any, attention: Any = None) -> Any:
        if attention is None:
            attention = ops.zeros_like(evidence[..., 0])
        if self.newest_only:
            later = ops.concatenate([real[:, 1:], ops.zeros_like(real[:, :1])], axis=1)
            real = ops.logical_and(real, ops.logical_not(later))
        return pool(evidence, ops.where(real, attention, NOTHING))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "newest_only": self.newest_only}


def pool(evidence: Any, attention: Any) -> Any:
    """Σ_t softmax(a)_t u_t of (…, time, classes) and (…, time): (…, classes)."""
    weights = ops.exp(attention - ops.logsumexp(attention, axis=-1, keepdims=True))
    return ops.sum(weights[..., None] * evidence, axis=-2)
