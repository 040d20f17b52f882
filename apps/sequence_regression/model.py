"""Builds the network: an encoder of sequences or texts, and a head of a mean and quantiles.

h       = encoder(x)                one vector a sequence, or one a step (`sequence_encoder`)
m, q_k  = head(h)                   mean and quantiles of each target (`quantiles`)
"""

from __future__ import annotations

import keras
import numpy as np

from apps.sequence_regression import config as configs
from apps.suite.networks import quantiles
from apps.suite.sequences import encoded_inputs, sequence_statistics
from apps.suite.texts import words


def build(
    config: configs.Config,
    channels: int,
    scale: tuple[np.ndarray, np.ndarray],
    learned: sequence_statistics.ChannelStatistics | None = None,
    *,
    indicators: bool = False,
    vocabulary: words.Vocabulary | None = None,
) -> keras.Model:
    """Builds the network, uncompiled.

    Args:
        config: kind and sizes.
        channels: of the sequences; 0 for texts.
        scale: mean and deviation of each target over the train part, [targets].
        learned: statistics of the channels over the train part; 0 and 1 if not given.
        indicators: tells the network which values are missing.
        vocabulary: of texts.

    Returns:
        A model of `values` float32 (batch, time, channels), NaN after the end and where missing,
        or of `words` int32 (batch, time) and `letters` int32 (batch, time, letters); to
        `quantiles` float32 (batch, targets, 4), or (batch, time, targets, 4) where every step has
        a target: the mean, and the quantiles of `config.levels`.
    """
    if vocabulary is None:
        inputs, vectors = encoded_inputs.of_sequences(
            channels,
            config.model,
            per_step=config.per_step,
            mean=None if learned is None else learned.mean.tolist(),
            deviation=None if learned is None else learned.deviation.tolist(),
            indicators=indicators,
        )
    else:
        inputs, vectors = encoded_inputs.of_texts(
            vocabulary, config.text, config.model, config.seed
        )
    mean, deviation = scale
    head = quantiles.QuantileHead(
        config.levels, mean.tolist(), deviation.tolist(), name="quantiles"
    )
    return keras.Model(inputs, head(vectors), name="sequence_regression")


def loss(config: configs.Config, scale: tuple[np.ndarray, np.ndarray]) -> keras.losses.Loss:
    """Returns the loss that the network learns by."""
    return quantiles.MeanAndPinball(config.levels, scale[1].tolist())
