"""Builds two causal convolutions over time and bands, ahead of the recurrent layers."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="speech_commands")
class CausalConvolution(keras.layers.Layer):
    """Convolves (batch, frames, bands, filters in), whole or in chunks.

    Output k is computed from the input frames `frame_stride · k - kernel_frames + 1` to
    `frame_stride · k`, where frames before the first are zeros: n frames give
    ceil(n / frame_stride). Bands are padded with zeros on both sides: b bands give
    ceil(b / band_stride).

    Args:
        filters: filters out.
        kernel_frames, kernel_bands: extent of the kernel.
        frame_stride, band_stride: steps between outputs.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        values: (batch, frames, bands, filters in); frames of any number, bands static.

    Returns:
        (batch, ceil(frames / frame_stride), ceil(bands / band_stride), filters), without an
        activation.
    """

    def __init__(
        self,
        filters: int,
        kernel_frames: int,
        kernel_bands: int,
        frame_stride: int = 1,
        band_stride: int = 1,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.filters = filters
        self.kernel_frames = kernel_frames
        self.kernel_bands = kernel_bands
        self.frame_stride = frame_stride
        self.band_stride = band_stride
        self.convolution = keras.layers.Conv2D(
            filters,
            (kernel_frames, kernel_bands),
            (frame_stride, band_stride),
            kernel_initializer="he_normal",
            dtype=self.dtype_policy,
            name="convolution",
        )

    def initial_leftover(self, batch: Any) -> Any:
        """Returns a stream's first state: zeros (batch, kernel_frames - 1, bands, filters in)."""
        return ops.zeros((batch, self.kernel_frames - 1, self._bands, self._filters_in))

    def build(self, shape: tuple[Any, ...]) -> None:
        self._bands, self._filters_in = shape[2:]
        self.convolution.build((shape[0], None, shape[2] + sum(self._padding(shape[2])), shape[3]))

    def call(self, values: Any) -> Any:
        before = [self.kernel_frames - 1, 0]
        values = ops.pad(values, [[0, 0], before, self._padding(values.shape[2]), [0, 0]])
        return self.convolution(values)

    def chunk(self, values: Any, leftover: Any) -> tuple[Any, Any]:
        """Computes the outputs that new frames allow, and the frames that later outputs still need.

        Concatenating the outputs of all chunks gives the output for the whole sequence.

        Args:
            values: new frames, any number, (batch, frames, bands, filters in).
            leftover: (batch, frames, bands, filters in), `initial_leftover` and then what the last
                call returned: at most `kernel_frames - 1` frames.

        Returns:
            (batch, new frames, bands out, filters), and the next leftover.
        """
        joined = ops.concatenate([leftover, values], axis=1)
        length = ops.shape(joined)[1]
        count = (length - self.kernel_frames + self.frame_stride) // self.frame_stride
        count = ops.maximum(count, 0)
        # The operation needs at least one kernel's frames. Padding after the last frame completes
        # them, and its outputs are cut off.
        missing = ops.maximum(self.kernel_frames - length, 0)
        padding = [[0, 0], [0, missing], self._padding(values.shape[2]), [0, 0]]
        outputs = self.convolution(ops.pad(joined, padding))
        return outputs[:, :count], joined[:, count * self.frame_stride :]

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        frames = None if shape[1] is None else -(-shape[1] // self.frame_stride)
        return (shape[0], frames, -(-shape[2] // self.band_stride), self.filters)

    def _padding(self, bands: int) -> list[int]:
        """Zeros below and above the bands."""
        outputs = -(-bands // self.band_stride)
        missing = max((outputs - 1) * self.band_stride + self.kernel_bands - bands, 0)
        return [missing // 2, missing - missing // 2]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_frames": self.kernel_frames,
            "kernel_bands": self.kernel_bands,
            "frame_stride": self.frame_stride,
            "band_stride": self.band_stride,
        }


FRAME_STRIDE = 2
"""Feature frames to one frame out: halves the work of all that follows."""


@keras.saving.register_keras_serializable(package="speech_commands")
class ConvolutionalFrontEnd(keras.layers.Layer):
    """Two convolutions, each with a relu, that never see later frames.

    Over spectra the kernels slide along the bands as well, so that a pattern may lie higher
    or lower, as it does from voice to voice. Nothing is normalised in between, because that would
    make quiet as loud as speech.

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
        """Returns the states of `chunk` at the start of a stream: zeros."""
        return [convolution.initial_leftover(batch) for convolution in self.convolutions]

    def chunk(self, values: Any, state: list[Any]) -> tuple[Any, list[Any]]:
        """Computes the next frames of a stream; see `CausalConvolution.chunk`."""
        values, after = values[..., None], []
        for convolution, leftover in zip(self.convolutions, state, strict=True):
            values, leftover = convolution.chunk(values, leftover)
            values = ops.relu(values)
            after.append(leftover)
        return _flat(values), after

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "over_bands": self.over_bands}


def _flat(values: Any) -> Any:
    """Reshapes (batch, frames, bands, filters) to (batch, frames, bands · filters)."""
    batch, frames = ops.shape(values)[:2]
    return ops.reshape(values, (batch, frames, math.prod(values.shape[2:])))


def drawn(network: keras.Model, rows: int, frames: int, draw: np.random.Generator) -> np.ndarray:
    """Draws features float32 (rows, frames, channels) like those that a network was made for.

    They are normal, with the mean and the deviation of its layer `normalisation`.
    """
    layer = network.get_layer("normalisation")
    mean, deviation = np.asarray(layer.mean), np.sqrt(np.asarray(layer.variance))
    values = draw.normal(size=(rows, frames, network.input["features"].shape[-1]))
    return (mean.reshape(-1) + deviation.reshape(-1) * values).astype(np.float32)
