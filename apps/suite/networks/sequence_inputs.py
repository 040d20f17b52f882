"""Normalises and smooths sequences with missing values, and tells steps that count from padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from apps.suite.networks import streaming

NORMALISATIONS = ("z_score", "centre", "sequence", "none")


@keras.saving.register_keras_serializable(package="lstm_tasks")
class SequenceInputs(keras.layers.Layer):
    """Normalises the channels of sequences, and puts 0 where a value is missing.

    A step without any value does not count: padding on either side, and a gap inside. It changes
    no state of a recurrent layer that reads the mask.

        z_score     (x - m_c) / d_c      m, d: given for each channel, those of the train part
        centre      x - m_c
        sequence    (x - m) / d          m, d: of the channel's values in this sequence
        none        x

    A channel whose deviation is 0 is divided by 1.

    Args:
        normalisation: a name of `NORMALISATIONS`.
        mean, deviation: of each channel, [channels]; 0 and 1 where they are not given.
        indicators: appends to the channels, for each, 1 where its value is there and 0 where not.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        values: float32 (batch, time, channels), NaN where missing.

    Returns:
        float32 (batch, time, channels), or twice as many channels with indicators; and the mask,
        bool (batch, time), True at steps with a value.

    Raises:
        ValueError: another normalisation, a deviation that is not above 0.
    """

    def __init__(
        self,
        normalisation: str = "z_score",
        mean: Sequence[float] | None = None,
        deviation: Sequence[float] | None = None,
        indicators: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.supports_masking = True
        if normalisation not in NORMALISATIONS:
            raise ValueError(f"normalisation must be one of {NORMALISATIONS}, is {normalisation!r}")
        self.normalisation = normalisation
        self.mean = None if mean is None else [float(each) for each in mean]
        self.deviation = None if deviation is None else [float(each) for each in deviation]
        if self.deviation is not None and min(self.deviation) <= 0:
            raise ValueError("a deviation must be above 0; give 1 for a constant channel")
        self.indicators = indicators

    def build(self, *_: Any) -> None:
        self.built = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Returns no mask: the steps that count are an input and an output by themselves."""

    def call(self, values: Any) -> tuple[Any, Any]:
        missing = ops.isnan(values)
        seen = ops.logical_not(missing)
        known = ops.cast(seen, values.dtype)
        # Both of one shape: otherwise ONNX would be given a product, and NaN · 0 is NaN.
        filled = ops.where(missing, ops.zeros_like(values), values)
        if self.normalisation == "sequence":
            count = ops.maximum(ops.sum(known, axis=1, keepdims=True), 1)
            mean = ops.sum(filled, axis=1, keepdims=True) / count
            apart = (filled - mean) * known
            deviation = ops.sqrt(ops.sum(apart**2, axis=1, keepdims=True) / count)
            # Rounding leaves a constant channel a deviation just above 0.
            least = 1e-6 * (1 + ops.abs(mean))
            filled = apart / ops.where(deviation > least, deviation, ops.ones_like(deviation))
        else:
            if self.normalisation in ("z_score", "centre") and self.mean is not None:
                filled = filled - ops.convert_to_tensor(self.mean, values.dtype)
            if self.normalisation == "z_score" and self.deviation is not None:
                filled = filled / ops.convert_to_tensor(self.deviation, values.dtype)
            filled = filled * known
        if self.indicators:
            filled = ops.concatenate([filled, known], axis=-1)
        return filled, ops.any(seen, axis=-1)

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, Any]:
        width = shape[-1] * (2 if self.indicators else 1)
        return (*shape[:-1], width), tuple(shape[:-1])

    def compute_output_spec(self, values: Any) -> tuple[Any, Any]:
        filled, counted = self.compute_output_shape(values.shape)
        return keras.KerasTensor(filled, values.dtype), keras.KerasTensor(counted, "bool")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "normalisation": self.normalisation,
            "mean": self.mean,
            "deviation": self.deviation,
            "indicators": self.indicators,
        }


@keras.saving.register_keras_serializable(package="lstm_tasks")
class RunningMeans(keras.layers.Layer):
    """Puts beside the values of each step their means over the past, in which older steps fade.

        m_t = λ m_{t-1} + x_t k_t       λ = 1 - 1/s, for each number of steps s
        n_t = λ n_{t-1} + k_t           k: 1 where the value is known, 0 where it is missing
        mean_t = m_t / n_t              0 before the first value

    A step that does not count changes nothing. What sensors measure is noise around a slow course:
    a recurrent layer would have to learn this sum first.

    Args:
        steps: the numbers s, each at least 2.
        indicators: the second half of the channels tells which values are known, as those of
            `SequenceInputs` do; else all are.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        values: (batch, time, channels).
        counted: bool (batch, time), False at steps that do not count.

    Returns:
        (batch, time, channels + means), means for each s, channel by channel.

    Raises:
        ValueError: a number of steps below 2.
    """

    def __init__(self, steps: Sequence[int], indicators: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True
        self.steps = [int(each) for each in steps]
        if min(self.steps) < 2:
            raise ValueError(f"a running mean is over at least 2 steps, got {min(self.steps)}")
        self.indicators = indicators

    def build(self, values_shape: tuple[Any, ...], *_: Any) -> None:
        self._channels = values_shape[-1] // (2 if self.indicators else 1)
        self.built = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Returns no mask: the steps that count are an input and an output by themselves."""

    @property
    def _width(self) -> int:
        return self._channels + (self._channels if self.indicators else 1)

    def initial_sums(self, batch: Any) -> Any:
        """Returns a stream's first state: zeros (batch, numbers of steps · sums)."""
        return ops.zeros((batch, len(self.steps) * self._width))

    def call(self, values: Any, counted: Any) -> Any:
        return self.chunk(values, counted, self.initial_sums(ops.shape(values)[0]))[0]

    def chunk(self, values: Any, counted: Any, sums: Any) -> tuple[Any, Any]:
        """Reads the next steps of a stream.

        Args:
            values, counted: as in a call, of the new steps, at least one.
            sums: of `initial_sums`, or of the last call.

        Returns:
            What a call returns for these steps of the whole sequence, and the next sums.
        """
        batch, time, kinds = ops.shape(values)[0], ops.shape(values)[1], len(self.steps)
        known = values[..., self._channels :] if self.indicators else ops.ones_like(values[..., :1])
        terms = ops.concatenate([values[..., : self._channels] * known, known], axis=-1)
        counts = ops.cast(counted, values.dtype)[..., None, None]
        fading = ops.convert_to_tensor([[1 - 1 / each] for each in self.steps], values.dtype)
        factors = counts * fading + (1 - counts)  # (batch, time, kinds, 1)
        before = ops.reshape(sums, (batch, kinds, self._width))
        added = ops.broadcast_to(terms[:, :, None] * counts, (batch, time, kinds, self._width))
        found = streaming.linear_recurrence(factors, added, before)
        weight = ops.maximum(found[..., self._channels :], 1e-30)
        means = found[..., : self._channels] / weight
        means = ops.reshape(means, (batch, time, kinds * self._channels))
        after = ops.reshape(found[:, -1], (batch, kinds * self._width))
        return ops.concatenate([values, means], axis=-1), after

    def compute_output_shape(self, values_shape: tuple[Any, ...], *_: Any) -> tuple[Any, ...]:
        channels = values_shape[-1] // (2 if self.indicators else 1)
        return (*values_shape[:-1], values_shape[-1] + len(self.steps) * channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "steps": self.steps, "indicators": self.indicators}


def left_aligned(values: tf.Tensor) -> tf.Tensor:
    """Moves the padding before each row's first value after its last one.

    The networks pool steps in windows that begin with the first step, so that padding in front
    would shift them.

    Args:
        values: float32 (batch, time, channels), NaN in padding on either side.

    Returns:
        The same shape; a row without any value stays as it is.
    """
    counted = tf.reduce_any(~tf.math.is_nan(values), axis=-1)
    first = tf.argmax(counted, axis=1, output_type=tf.int32)  # the first True, 0 where none is
    time = tf.shape(values)[1]
    places = tf.range(time)[None, :] + first[:, None]
    return tf.gather(values, places % tf.maximum(time, 1), batch_dims=1)
