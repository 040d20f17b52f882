"""`ConvolutionalFrontEnd`: two causal convolutions, between features and recurrent layers."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from apps.speech_commands.causal_convolution import CausalConvolution

FRAME_STRIDE = 2
"""Feature frames to one frame out: halves the work of all that follows."""


@keras.saving.register_keras_serializable(package="speech_commands")
class ConvolutionalFrontEnd(keras.layers.Layer):
    """Convolution, relu, and the same again; what is seen never lies ahead.

    Over spectra the kernels slide along the bands as well, so that what they find may lie higher
    or lower, as it does from voice to voice. There is no normalisation in between: it would make
    quiet as loud as speech.

    Args:
        filters: of each convolution.
        over_bands: whether neighbouring channels are neighbouring bands; if not, as in cepstra,
            a kernel takes in all channels.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        values: (batch, frames, channels).

    Returns:
        (batch, ceil(frames / 2), ceil(channels / 4) · filters), or (…, filters) where not
        `over_bands`.
    """

    def __init__(self, filters: int, over_bands: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.filters = filters
        self.over_bands = over_bands
        self.convolutions: list[CausalConvolution] = []

    def build(self, shape: tuple[Any, ...]) -> None:
        # Frames and bands of each kernel, and of each stride
        sizes = (5, 5, FRAME_STRIDE, 2), (3, 3, 1, 2)
        if not self.over_bands:
            sizes = (5, shape[2], FRAME_STRIDE, shape[2]), (3, 1, 1, 1)
        shape = (*shape, 1)
        for depth, extents in enumerate(sizes):
            convolution = CausalConvolution(
                self.filters, *extents, dtype=self.dtype_policy, name=f"convolution_{depth}"
            )
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
            self.convolutions.append(convolution)

    def call(self, values: Any) -> Any:
        values = values[..., None]
        for convolution in self.convolutions:
            values = ops.relu(convolution(values))
        return _flat(values)

    def initial_state(self, batch: Any) -> list[Any]:
        """What `chunk` takes at the start of a stream: zeros, as many as each kernel looks back."""
        return [convolution.initial_leftover(batch) for convolution in self.convolutions]

    def chunk(self, values: Any, state: list[Any]) -> tuple[Any, list[Any]]:
        """What a call gives, of the next frames of a stream; see `CausalConvolution.chunk`."""
        values, after = values[..., None], []
        for convolution, leftover in zip(self.convolutions, state, strict=True):
            values, leftover = convolution.chunk(values, leftover)
            values = ops.relu(values)
            after.append(leftover)
        return _flat(values), after

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "over_bands": self.over_bands}


def _flat(values: Any) -> Any:
    """(batch, frames, bands, filters) as (batch, frames, bands · filters)."""
    batch, frames = ops.shape(values)[:2]
    return ops.reshape(values, (batch, frames, math.prod(values.shape[2:])))
