"""The pointer-generator: an encoder-decoder network whose pieces may be copied from the text.

See `networks.encoder_decoder` for the equations. Source: See, Liu and Manning, "Get to the point:
summarization with pointer-generator networks", 2017; here with pieces of words, so that no word is
unknown, and attention after the recurrence (Luong et al. 2015).
"""

from __future__ import annotations

from typing import Any

import keras

from apps.suite.networks import encoder_decoder
from apps.summarization import config as configs


def build(config: configs.Config, vocabulary_size: int) -> keras.Model:
    """Builds the network, uncompiled.

    Args:
        config: kinds and sizes.
        vocabulary_size: number of ids, `pieces.Pieces.size`.

    Returns:
        A model of "source" and "target" int32 (batch, time), 0 after the end, to "logits",
        "attention" and, with copying, "gate": see `encoder_decoder.build`.
    """
    return encoder_decoder.build(
        config.model,
        source_size=vocabulary_size,
        target_size=vocabulary_size,
        copying=config.model.copying,
    )


def compiled(
    network: keras.Model, optimizer: Any, settings: configs.TrainingConfig
) -> encoder_decoder.TrainingModel:
    """Returns a network ready for `fit`: nats of a piece, later with coverage."""
    training = encoder_decoder.TrainingModel(
        network,
        coverage_weight=settings.coverage_weight,
        coverage_step=int(settings.coverage_from * settings.steps),
        smoothing=settings.label_smoothing,
    )
    training.compile(optimizer, jit_compile=settings.jit_compile)
    return training
