"""Adds the inputs and the encoder of a network that reads sequences of numbers, or texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from apps.suite.networks import sequence_encoder, text_encoder
from apps.suite.networks.config import EncoderConfig
from apps.suite.texts import words
from apps.suite.texts.config import TextConfig


def of_sequences(
    channels: int,
    config: EncoderConfig,
    *,
    per_step: bool,
    mean: Sequence[float] | None,
    deviation: Sequence[float] | None,
    indicators: bool,
) -> tuple[Any, Any]:
    """Returns the input `values` float32 (batch, time, channels) and what encodes it.

    The arguments are those of `sequence_encoder.encode`.
    """
    values = keras.Input((None, channels), name="values")
    return values, sequence_encoder.encode(
        values,
        config,
        per_step=per_step,
        mean=mean,
        deviation=deviation,
        indicators=indicators,
    )


def of_texts(
    vocabulary: words.Vocabulary, text: TextConfig, config: EncoderConfig, seed: int
) -> tuple[Any, Any]:
    """Returns the inputs `words` and `letters` of a vocabulary's numbers, and what encodes them.

    `words` is int32 (batch, time), `letters` int32 (batch, time, letters).
    """
    inputs = {
        "words": keras.Input((None,), dtype="int32", name="words"),
        "letters": keras.Input((None, None), dtype="int32", name="letters"),
    }
    return inputs, text_encoder.encode(
        inputs["words"],
        inputs["letters"],
        text,
        config,
        word_count=vocabulary.word_count,
        letter_count=vocabulary.letter_count,
        seed=seed,
    )
