"""Describes sequences by random convolutions, from which a linear layer or model learns.

    f_k(t) = (Σ_jc W_kjc x_{t + (j - 4) d_k, c} - b_k) / s_k,    j = 0 … 8
    features of kernel k: the share of the steps with f_k > 0, and max_t f_k

Weights are normal, and the mean over the steps of a kernel is 0. Dilations d are powers of two that
fit into the median length. b_k is an output of the kernel at a drawn training step, s_k the
deviation of its outputs. Channels are normalised by the training sequences; missing values are 0.
A network reads the mean of σ(8 f_k) as the share, so that gradients tell what decided.

Sources: Dempster, Petitjean and Webb, "ROCKET: exceptionally fast and accurate time series
classification using random convolutional kernels", 2020; here with real lengths, so that padding
counts nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from apps.suite.networks.pooling import NOTHING
from apps.suite.sequences import batches, ragged, sequence_statistics

_KERNEL_STEPS = 9
_SHARPNESS = 8.0
_ROWS, _NUMBERS = 32, 2**24  # of a batch, at most
_DRAWN_SEQUENCES = 64  # training sequences that biases and scales are taken from


@keras.saving.register_keras_serializable(package="lstm_tasks")
class RandomConvolutions(keras.layers.Layer):
    """Computes the features of random kernels, which `drawn` has put into it; none is trained.

    Args:
        kernels: dilation and number of the kernels of each dilation.
        smooth: the shares are.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        values: float32 (batch, time, channels), NaN after the end and where missing.

    Returns:
        float32 (batch, 2 · kernels), standardised by training sequences; padding changes nothing.
    """

    def __init__(
        self, kernels: Sequence[Sequence[int]], smooth: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        self.kernels, self.smooth = [tuple(each) for each in kernels], smooth
        self.supports_masking = True

    def build(self, shape: tuple[Any, ...]) -> None:
        channels, count = shape[-1], sum(count for _, count in self.kernels)

        def fixed(name: str, *sides: int) -> Any:
            kind = "ones" if name in ("deviation", "spread", "scale") else "zeros"
            return self.add_weight(name=name, shape=sides, initializer=kind, trainable=False)

        self.mean, self.deviation = fixed("mean", channels), fixed("deviation", channels)
        self.weights_of = [
            fixed(f"kernels_{dilation}", _KERNEL_STEPS, channels, count)
            for dilation, count in self.kernels
        ]
        self.bias, self.spread = fixed("bias", count), fixed("spread", count)
        self.middle, self.scale = fixed("middle", 2 * count), fixed("scale", 2 * count)
        self.built = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Returns no mask: the output has no steps."""

    def responses(self, values: Any) -> tuple[Any, Any]:
        """Returns f (batch, time, kernels), and 1 at the steps that count (batch, time, 1)."""
        missing = ops.isnan(values)
        scaled = ops.where(missing, ops.zeros_like(values), (values - self.mean) / self.deviation)
        parts = [
            ops.conv(scaled, weights, padding="same", dilation_rate=dilation)
            for (dilation, _), weights in zip(self.kernels, self.weights_of, strict=True)
        ]
        counted = ops.any(ops.logical_not(missing), axis=-1, keepdims=True)
        found = (ops.concatenate(parts, axis=-1) - self.bias) / self.spread
        return found, ops.cast(counted, found.dtype)

    def call(self, values: Any) -> Any:
        found, counted = self.responses(values)
        count = ops.sum(counted, axis=1)
        above = ops.sigmoid(_SHARPNESS * found) if self.smooth else ops.cast(found > 0, found.dtype)
        share = ops.sum(above * counted, axis=1) / ops.maximum(count, 1)
        highest = ops.max(ops.where(counted > 0, found, NOTHING), axis=1)
        highest = highest * ops.cast(count > 0, found.dtype)
        return (ops.concatenate([share, highest], axis=-1) - self.middle) / self.scale

    def compute_output_spec(self, values: Any) -> Any:
        count = sum(count for _, count in self.kernels)
        return keras.KerasTensor((values.shape[0], 2 * count), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kernels": self.kernels, "smooth": self.smooth}


def drawn(
    train: ragged.Sequences, count: int, seed: int, *, smooth: bool = False
) -> RandomConvolutions:
    """Draws kernels, and takes biases and scales from training sequences.

    Args:
        train: sequences to draw from.
        count: number of kernels.
        seed: of all draws.
        smooth: see `RandomConvolutions`.
    """
    draw, channels = np.random.default_rng((seed, 17)), train.values.shape[1]
    longest = max(1.0, (float(np.median(train.lengths)) - 1) / (_KERNEL_STEPS - 1))
    dilations = [2**power for power in range(int(np.log2(longest)) + 1)]
    shares = [len(each) for each in np.array_split(np.arange(count), len(dilations))]
    layer = RandomConvolutions(
        [*zip(dilations, shares, strict=True)], smooth, name="random_convolutions"
    )
    layer.build((None, None, channels))
    learned = sequence_statistics.of_channels(train.values)
    layer.mean.assign(learned.mean)
    layer.deviation.assign(learned.deviation)
    for variable, share in zip(layer.weights_of, shares, strict=True):
        weights = draw.normal(size=(_KERNEL_STEPS, channels, share))
        # Some kernels read few of the channels, others all of them
        kept = draw.random((channels, share)) < draw.uniform(0.1, 1, share)
        kept[draw.integers(channels, size=share), np.arange(share)] = True
        variable.assign((weights - weights.mean(axis=0)) * kept / np.sqrt(kept.sum(axis=0)))
    values = batches.padded(train, draw.permutation(len(train))[:_DRAWN_SEQUENCES])
    found, counted = (np.array(each) for each in layer.responses(ops.convert_to_tensor(values)))
    there, flat = np.flatnonzero(counted), found.reshape(-1, count)
    layer.bias.assign(flat[draw.choice(there, size=count), np.arange(count)])
    layer.spread.assign(_above_zero(flat[there].std(axis=0)))
    features = np.array(layer(ops.convert_to_tensor(values)))
    layer.middle.assign(features.mean(axis=0))
    layer.scale.assign(_above_zero(features.std(axis=0)))
    return layer


def features(layer: RandomConvolutions, sequences: ragged.Sequences) -> np.ndarray:
    """Returns the features of sequences, float32 [sequences, 2 · kernels]."""
    count = layer.middle.shape[0]
    found = np.empty((len(sequences), count), np.float32)
    longest = int(sequences.lengths.max(initial=1))
    rows = max(1, min(_ROWS, 2 * _NUMBERS // (longest * count)))
    for chosen in batches.in_order(sequences.lengths, rows):
        found[chosen] = layer(ops.convert_to_tensor(batches.padded(sequences, chosen)))
    return found


def _above_zero(deviations: np.ndarray) -> np.ndarray:
    return np.where(deviations > 1e-6, deviations, 1)
