"""Builds the network that writes a translation after reading a text, and compiles it."""

from __future__ import annotations

from typing import Any

import keras

from apps.suite import process
from apps.suite.networks import encoder_decoder
from apps.translation import config as configs


def build(
    config: configs.Config, source_size: int, target_size: int, policy: str = "float32"
) -> keras.Model:
    """Builds the network: see `encoder_decoder.build`.

    Args:
        config: kinds and sizes.
        source_size, target_size: numbers of token ids.
        policy: Keras dtype policy; what is saved and served is float32.
    """
    return encoder_decoder.build(
        config.model, source_size=source_size, target_size=target_size, policy=policy
    )


def build_training(
    config: configs.Config, source_size: int, target_size: int, optimizer: Any
) -> encoder_decoder.TrainingModel:
    """Builds and compiles the same network for training, with its own precision."""
    policy = process.resolve_precision(config.training.precision)
    network = build(config, source_size, target_size, policy)
    training = encoder_decoder.TrainingModel(network, smoothing=config.model.smoothing)
    training.compile(optimizer, jit_compile=config.training.jit_compile)
    return training
