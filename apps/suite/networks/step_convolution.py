"""Convolves and pools the steps of sequences so that padding changes nothing."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="lstm_tasks")
class StepConvolution(keras.layers.Layer):
    """Convolves over time, with relu: y_t = relu(Σ_k W_k x_{t-s+k} + b), k = 0 … K - 1.

    s = K - 1 for a causal convolution, whose outputs read no later step; else s = (K - 1) // 2.
    Steps that do not count are read as zeros, as what lies outside of the sequence is.

    Args:
        filters: of the output.
        kernel_steps: K.
        causal: see above.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        values: (batch, time, channels).
        counted: bool (batch, time), False at steps that do not count.

    Returns:
        (batch, time, filters).
    """

    def __init__(
        self, filters: int, kernel_steps: int, causal: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        self.supports_masking = True
        self.filters = filters
        self.kernel_steps = kernel_steps
        self.causal = causal
        self.convolution = keras.layers.Conv1D(
            filters,
            kernel_steps,
            activation="relu",
            kernel_initializer="he_normal",
            dtype=self.dtype_policy,
            name="convolution",
        )

    def build(self, values_shape: tuple[Any, ...], *_: Any) -> None:
        self._channels = values_shape[-1]
        self.convolution.build((values_shape[0], None, values_shape[-1]))

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Returns no mask: the steps that count are an input and an output by themselves."""

    def call(self, values: Any, counted: Any) -> Any:
        before = self.kernel_steps - 1 if self.causal else (self.kernel_steps - 1) // 2
        around = [before, self.kernel_steps - 1 - before]
        return self.convolution(ops.pad(_only(values, counted), [[0, 0], around, [0, 0]]))

    def initial_leftover(self, batch: Any) -> Any:
        """Returns a stream's first state: zeros (batch, K - 1, channels)."""
        return ops.zeros((batch, self.kernel_steps - 1, self._channels))

    def chunk(self, values: Any, counted: Any, leftover: Any) -> tuple[Any, Any]:
        """Convolves the next steps of a stream, of a causal layer.

        Args:
            values, counted: as in a call, of the new steps.
            leftover: (batch, K - 1, channels), of `initial_leftover` or of the last call.

        Returns:
            (batch, new steps, filters) as the whole sequence would give, and the next leftover.
        """
        joined = ops.concatenate([leftover, _only(values, counted)], axis=1)
        kept = ops.shape(joined)[1] - (self.kernel_steps - 1)
        return self.convolution(joined), joined[:, kept:]

    def compute_output_shape(self, values_shape: tuple[Any, ...], *_: Any) -> tuple[Any, ...]:
        return (*values_shape[:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        own = ("filters", "kernel_steps", "causal")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@keras.saving.register_keras_serializable(package="lstm_tasks")
class StepPooling(keras.layers.Layer):
    """Pools windows of steps, from the first step on, over the steps that count.

    Args:
        steps: of a window; the last one may have fewer.
        kind: "max" or "average".
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        values: (batch, time, channels).
        counted: bool (batch, time).

    Returns:
        (batch, ceil(time / steps), channels), zeros for a window without a step that counts; and
        bool (batch, ceil(time / steps)), whether the window has one.
    """

    def __init__(self, steps: int, kind: str = "max", **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True
        if kind not in ("max", "average"):
            raise ValueError(f'kind must be "max" or "average", is {kind!r}')
        self.steps = steps
        self.kind = kind

    def build(self, *_: Any) -> None:
        self.built = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Returns no mask: the steps that count are an input and an output by themselves."""

    def call(self, values: Any, counted: Any) -> tuple[Any, Any]:
        batch, time = ops.shape(values)[:2]
        windows = (time + self.steps - 1) // self.steps
        missing = windows * self.steps - time
        shape = (batch, windows, self.steps)
        values = ops.pad(values, [[0, 0], [0, missing], [0, 0]])
        values = ops.reshape(values, (*shape, values.shape[-1]))
        counted = ops.pad(ops.cast(counted, "int32"), [[0, 0], [0, missing]])
        counted = ops.reshape(counted, shape)
        any_counts = ops.max(counted, axis=2) > 0
        weights = ops.cast(counted, values.dtype)[..., None]
        if self.kind == "average":
            pooled = ops.sum(values * weights, axis=2) / ops.maximum(ops.sum(weights, axis=2), 1)
        else:
            pooled = ops.max(ops.where(weights > 0, values, -1e30), axis=2)
        return _only(pooled, any_counts), any_counts

    def compute_output_spec(self, values: Any, counted: Any) -> tuple[Any, Any]:
        batch, time, channels = values.shape
        windows = None if time is None else -(-time // self.steps)
        return (
            keras.KerasTensor((batch, windows, channels), values.dtype),
            keras.KerasTensor((batch, windows), "bool"),
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "steps": self.steps, "kind": self.kind}


@keras.saving.register_keras_serializable(package="lstm_tasks")
class StepRepetition(keras.layers.Layer):
    """Gives each step its window's values again: the way back from `StepPooling`.

    Args:
        steps: of a window.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        windows: (batch, windows, channels).
        like: (batch, time, …), of which only the number of steps is read; at most windows · steps.

    Returns:
        (batch, time, channels).
    """

    def __init__(self, steps: int, **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True
        self.steps = steps

    def build(self, *_: Any) -> None:
        self.built = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Returns no mask: the steps that count are an input and an output by themselves."""

    def call(self, windows: Any, like: Any) -> Any:
        return ops.repeat(windows, self.steps, axis=1)[:, : ops.shape(like)[1]]

    def compute_output_shape(
        self, windows_shape: tuple[Any, ...], like_shape: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        return (windows_shape[0], like_shape[1], windows_shape[2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "steps": self.steps}


def _only(values: Any, counted: Any) -> Any:
    return values * ops.cast(counted, values.dtype)[..., None]
