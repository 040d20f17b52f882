"""Builds the network: an encoder of sequences or texts, and a head of a mean and quantiles.

h       = encoder(x)                one vector a sequence, or one a step (`sequence_encoder`)
m, q_k  = head(h)                   mean and quantiles of each target (`quantiles`)
"""

from __future__ import annotations

import keras
import numpy as np

from apps.sequence_regression import config as configs
from apps.suite.networks import quantiles, sequence_encoder
from apps.suite.sequences import statistics


def build(
    config: configs.Config,
    channels: int,
    scale: tuple[np.ndarray, np.ndarray],
    channel_statistics: statistics.ChannelStatistics | None = None,
    has_gaps: bool = False,
) -> keras.Model:
    """Builds the network, uncompiled.

    Args:
        config: kind and sizes.
        channels: of the sequences.
        scale: mean and deviation of each target over the train part, [targets].
        channel_statistics: over the train part; mean 0 and deviation 1 if not given.
        has_gaps: whether values are missing, and the network is told which.

    Returns:
        A model of `values` float32 (batch, time, channels), NaN after the end and where missing,
        to `quantiles` float32 (batch, targets, 4), or (batch, time, targets, 4) where every step
        has a target: the mean, and the quantiles of `config.levels`.
    """
    mean, deviation = np.zeros(channels), np.ones(channels)
    if channel_statistics is not None:
        mean, deviation = channel_statistics.mean, channel_statistics.deviation
    values = keras.Input((None, channels), name="values")
    vectors = sequence_encoder.encode(
        values,
        config.model,
        per_step=config.per_step,
        mean=mean.tolist(),
        deviation=deviation.tolist(),
        indicators=has_gaps,
    )
    head = quantiles.QuantileHead(
        config.levels, scale[0].tolist(), scale[1].tolist(), name="quantiles"
    )
    return keras.Model(values, head(vectors), name="sequence_regression")


def loss(config: configs.Config, scale: tuple[np.ndarray, np.ndarray]) -> keras.losses.Loss:
    """Returns the loss that the network learns by."""
    return quantiles.MeanAndPinball(config.levels, scale[1].tolist())
