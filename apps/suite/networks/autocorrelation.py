"""Correlates a sequence with itself at many lags: how it repeats, and after how many steps.

    x_t                     normalised channels, less their mean over the sequence, 0 where missing
    r_lc = Σ_t x_tc x_(t+l)c / √(Σ_t |x_t|² Σ_t |x_(t+l)|²)      t, t + l steps that count

R_l = Σ_c r_lc is near 1 at a lag l after which all channels come again. It is the same whichever
way a sensor with channels x, y, z is turned. Lags lie evenly by their logarithm: at another pace r
is shifted along l and keeps its shape. What reads steps in order, convolutions and recurrent
layers, reads lags in order as well.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

_LEAST_ENERGY = 1e-3


def lags(shortest: int, longest: int, count: int) -> list[int]:
    """Returns at most `count` lags, evenly by their logarithm, in steps."""
    return np.unique(np.rint(np.geomspace(shortest, longest, count)).astype(int)).tolist()


@keras.saving.register_keras_serializable(package="lstm_tasks")
class Autocorrelation(keras.layers.Layer):
    """Correlates the steps of a sequence with those that come `lag` steps later.

    Args:
        lags: steps, at least 1 each; beyond the end of a sequence the correlation is 0.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        values: x float32 (batch, time, channels), 0 where missing.
        counted: bool (batch, time), False at steps that do not count.

    Returns:
        float32 (batch, lags, channels + 2): r, their sum R between -1 and 1, and the place of the
        lag from -1 to 1; and bool (batch, lags), True at every lag.
    """

    def __init__(self, lags: list[int], **options: Any) -> None:
        super().__init__(**options)
        if not lags or min(lags) < 1:
            raise ValueError(f"lags must be steps of at least 1, are {lags}")
        self.lags = [int(lag) for lag in lags]
        self.supports_masking = True

    def build(self, *_: Any) -> None:
        self.built = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Returns no mask: the output has no steps."""

    def call(self, values: Any, counted: Any) -> tuple[Any, Any]:
        weights = ops.cast(counted, values.dtype)[..., None]
        count = ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1)
        apart = (values - ops.sum(values * weights, axis=1, keepdims=True) / count) * weights
        energy = ops.sum(apart**2, axis=-1, keepdims=True)
        joined = ops.concatenate([apart, energy, weights], axis=-1)
        later = ops.pad(joined, [[0, 0], [0, max(self.lags)], [0, 0]])
        steps, channels = ops.shape(values)[1], values.shape[-1]
        found = []
        for lag in self.lags:
            after = later[:, lag : lag + steps]
            product = ops.sum(apart * after[..., :channels], axis=1)
            first = ops.sum(energy * after[..., channels + 1 :], axis=1)
            second = ops.sum(weights * after[..., channels : channels + 1], axis=1)
            found.append(product / (ops.sqrt(first * second) + _LEAST_ENERGY))
        read = ops.stack(found, axis=1)
        total = ops.sum(read, axis=-1, keepdims=True)
        places = np.linspace(-1, 1, len(self.lags))[:, None]
        place = ops.convert_to_tensor(places, values.dtype) + ops.zeros_like(total)
        return ops.concatenate([read, total, place], axis=-1), place[..., 0] > -2

    def compute_output_spec(self, values: Any, counted: Any) -> tuple[Any, Any]:
        shape = (values.shape[0], len(self.lags))
        return (
            keras.KerasTensor((*shape, values.shape[-1] + 2), values.dtype),
            keras.KerasTensor(shape, "bool"),
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "lags": self.lags}
