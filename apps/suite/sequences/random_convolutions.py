"""Describes sequences by random convolutions, from which a linear model learns.

Sources: Dempster, Petitjean and Webb, "ROCKET: exceptionally fast and accurate time series
classification using random convolutional kernels", 2020; here with real lengths, so that padding
counts nowhere.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from apps.suite.sequences import batches, ragged, sequence_statistics

_KERNEL_STEPS = 9
_ROWS, _NUMBERS = 32, 2**24  # of a batch, at most
_BIAS_SEQUENCES = 64  # training sequences whose outputs the biases are drawn from


class RandomConvolutions:
    """Random kernels over all channels, drawn once, with biases from training sequences.

        f_k(t) = Σ_jc W_kjc x_{t + (j - 4) d_k, c} - b_k,    j = 0 … 8
        features of kernel k: the share of the steps with f_k > 0, and max_t f_k

    Weights are normal, and the mean over the steps of a kernel is 0. Dilations d are powers of two
    that fit into the median length. b_k is an output of the kernel at a drawn training step.
    Channels are normalised by the training sequences; missing values are 0.

    Args:
        train: sequences to draw from.
        count: number of kernels.
        seed: of all draws.
    """

    def __init__(self, train: ragged.Sequences, count: int, seed: int) -> None:
        draw = np.random.default_rng((seed, 17))
        learned = sequence_statistics.of_channels(train.values)
        self._mean = learned.mean.astype(np.float32)
        self._deviation = learned.deviation.astype(np.float32)
        channels = train.values.shape[1]
        longest = max(1.0, (float(np.median(train.lengths)) - 1) / (_KERNEL_STEPS - 1))
        dilations = [2**power for power in range(int(np.log2(longest)) + 1)]
        shares = np.array_split(np.arange(count), len(dilations))
        self._kernels: list[tuple[int, np.ndarray]] = []
        for dilation, share in zip(dilations, shares, strict=True):
            weights = draw.normal(size=(_KERNEL_STEPS, channels, len(share)))
            # Some kernels read few of the channels, others all of them
            kept = draw.random((channels, len(share))) < draw.uniform(0.1, 1, len(share))
            kept[draw.integers(channels, size=len(share)), np.arange(len(share))] = True
            weights = (weights - weights.mean(axis=0)) * kept / np.sqrt(kept.sum(axis=0))
            self._kernels.append((dilation, weights.astype(np.float32)))
        chosen = draw.permutation(len(train))[:_BIAS_SEQUENCES]
        outputs, counted = self._outputs(batches.padded(train, chosen))
        there = np.flatnonzero(counted.ravel())
        flat = outputs.reshape(-1, outputs.shape[-1])
        places = draw.choice(there, size=flat.shape[1])
        self._bias = flat[places, np.arange(flat.shape[1])]

    def features(self, sequences: ragged.Sequences) -> np.ndarray:
        """Returns float32 [sequences, 2 · kernels]."""
        kernels = len(self._bias)
        found = np.empty((len(sequences), 2 * kernels), np.float32)
        longest = int(sequences.lengths.max(initial=1))
        rows = max(1, min(_ROWS, _NUMBERS // (longest * kernels)))
        for chosen in batches.in_order(sequences.lengths, rows):
            outputs, counted = self._outputs(batches.padded(sequences, chosen))
            apart = outputs - self._bias
            weights = counted[..., None]
            positive = ((apart > 0) & weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
            highest = np.where(weights, apart, -np.inf).max(axis=1)
            found[chosen] = np.concatenate(
                [positive, np.where(np.isfinite(highest), highest, 0)], axis=1
            )
        return found

    def _outputs(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns Σ W x float32 [rows, steps, kernels], and the steps that count."""
        counted = ~np.isnan(values).all(axis=2)
        scaled = (values - self._mean) / self._deviation
        scaled = np.where(np.isnan(scaled), 0, scaled).astype(np.float32)
        parts = [
            tf.nn.conv1d(scaled, weights, 1, "SAME", dilations=dilation).numpy()
            for dilation, weights in self._kernels
        ]
        return np.concatenate(parts, axis=2), counted
