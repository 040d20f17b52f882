"""`MotionChannels`: what a network sees of a frame, its difference to the one before included."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in grey (ITU-R BT.601)
DIFFERENCE_GAIN = 4.0
"""Differences are small beside the pixels themselves; so they learn at the same pace."""


@keras.saving.register_keras_serializable(package="video_classification")
class MotionChannels(keras.layers.Layer):
    """Grey or colour, from -0.5 to 0.5, and 4 (x_t - x_{t-1}); the first difference is zero.

    Args:
        colour: three channels; else one, of the frame's brightness.
        differences: those to the frame before as further channels.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        frames: uint8 (batch, time, height, width, 3).

    Returns:
        (batch, time, height, width, channels).
    """

    def __init__(self, colour: bool = False, differences: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.colour = colour
        self.differences = differences

    def build(self, _: Any) -> None:
        self.built = True

    def call(self, frames: Any) -> Any:
        seen = self.seen(frames)
        before = ops.concatenate([seen[:, :1], seen[:, :-1]], axis=1)
        return self._joined(seen, before)

    def seen(self, frames: Any) -> Any:
        """The frames without differences, (batch, time, height, width, 1 or 3)."""
        frames = ops.cast(frames, self.compute_dtype) / 255.0
        if not self.colour:
            frames = ops.sum(frames * ops.cast(_LUMA, frames.dtype), axis=-1, keepdims=True)
        return frames - 0.5

    def chunk(self, frames: Any, previous: Any, started: Any) -> tuple[Any, Any]:
        """What a call gives, of the next frames of a stream.

        Args:
            frames: uint8 (batch, time, height, width, 3), any number of frames.
            previous: (batch, height, width, channels seen), the frame before them as seen.
            started: (batch,), 0 where there is none before.

        Returns:
            (batch, time, height, width, channels), and the last frame as seen.
        """
        seen = self.seen(frames)
        is_first = ops.reshape(started, (-1, 1, 1, 1, 1)) == 0
        first = ops.where(is_first, seen[:, :1], previous[:, None])
        behind = ops.concatenate([first, seen], axis=1)
        # Without a frame `first` is empty where previous should stay, so it comes once more
        kept = ops.concatenate([previous[:, None], seen], axis=1)[:, -1]
        return self._joined(seen, behind[:, : ops.shape(seen)[1]]), kept

    def _joined(self, seen: Any, before: Any) -> Any:
        if not self.differences:
            return seen
        return ops.concatenate([seen, DIFFERENCE_GAIN * (seen - before)], axis=-1)

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        channels = (3 if self.colour else 1) * (2 if self.differences else 1)
        return (*shape[:-1], channels)

    def get_config(self) -> dict[str, Any]:
        own = {"colour": self.colour, "differences": self.differences}
        return {**super().get_config(), **own}
