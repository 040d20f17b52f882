"""Builds the network: an encoder of sequences or texts, and a head of a mean and quantiles.

h       = encoder(x)                one vector a sequence, or one a step (`sequence_encoder`)
m, q_k  = head(h)                   mean and quantiles of each target (`quantiles`)
"""

from __future__ import annotations

import keras
import numpy as np

from apps.sequence_regression import config as configs
from apps.suite.networks import quantiles
from apps.suite.sequences import encoded_inputs


def build(
    config: configs.Config,
    given: encoded_inputs.Inputs,
    scale: tuple[np.ndarray, np.ndarray],
) -> keras.Model:
    """Builds the network, uncompiled.

    Args:
        config: kind and sizes.
        given: its inputs.
        scale: mean and deviation of each target, or of its logarithm, see `data.target_scale`.

    Returns:
        A model of the inputs of `encoded_inputs.added` to `quantiles` float32 (batch, targets, 4),
        or (batch, time, targets, 4) where every step has a target: the mean, and the quantiles of
        `config.levels`.
    """
    inputs, vectors = encoded_inputs.added(config, given)
    mean, deviation = scale
    head = quantiles.QuantileHead(
        config.levels,
        mean.tolist(),
        deviation.tolist(),
        config.target.logarithm,
        name="quantiles",
    )
    return keras.Model(inputs, head(vectors), name="sequence_regression")


def loss(config: configs.Config, scale: tuple[np.ndarray, np.ndarray]) -> keras.losses.Loss:
    """Returns the loss that the network learns by."""
    return quantiles.MeanAndPinball(config.levels, scale[1].tolist(), config.target.logarithm)
