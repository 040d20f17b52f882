"""The pointer-generator: an encoder-decoder network whose pieces may be copied from the text.

See `networks.encoder_decoder` for the equations. Source: See, Liu and Manning, "Get to the point:
summarization with pointer-generator networks", 2017; here with pieces of words, so that no word is
unknown, and attention after the recurrence (Luong et al. 2015).
"""

from __future__ import annotations

from typing import Any

import keras

from apps.suite import process
from apps.suite.networks import encoder_decoder
from apps.summarization import config as configs


def build(config: configs.Config, vocabulary_size: int, policy: str = "float32") -> keras.Model:
    """Builds the network, uncompiled.

    Args:
        config: kinds and sizes.
        vocabulary_size: number of ids, `pieces.Pieces.size`.
        policy: Keras dtype policy; what is saved and served is float32.

    Returns:
        A model of "source" and "target" int32 (batch, time), 0 after the end, to "logits",
        "attention" and, with copying, "gate": see `encoder_decoder.build`.
    """
    return encoder_decoder.build(
        config.model,
        source_size=vocabulary_size,
        target_size=vocabulary_size,
        copying=config.model.copying,
        policy=policy,
    )


def compiled(
    network: keras.Model, optimizer: Any, config: configs.Config
) -> encoder_decoder.TrainingModel:
    """Returns what `fit` trains: nats of a piece, later with coverage.

    It holds the network itself, or one of the same sizes where training has another precision.
    """
    settings = config.training
    policy = process.resolve_precision(settings.precision)
    if policy != "float32":
        network = build(config, network.get_layer("embedding").input_dim, policy)
    training = encoder_decoder.TrainingModel(
        network,
        coverage_weight=settings.coverage_weight,
        coverage_step=int(settings.coverage_from * settings.steps),
        smoothing=settings.label_smoothing,
    )
    training.compile(optimizer, jit_compile=settings.jit_compile)
    return training
