"""Adds the inputs and the encoder of a network that reads sequences of numbers, or texts."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import keras
import tensorflow as tf

from apps.suite.networks import sequence_encoder, sequence_inputs, text_encoder
from apps.suite.networks.config import EncoderConfig
from apps.suite.sequences import ragged, random_convolutions, sequence_statistics
from apps.suite.texts import words
from apps.suite.texts.config import BagTextConfig


class Config(Protocol):
    """The part of a task's config that the encoder is built by.

    Attributes:
        model: kind and sizes.
        text: hidden words and letters, for texts.
        seed: of the hidden words.
        per_step: one vector for each step and not one for the sequence.
    """

    @property
    def model(self) -> EncoderConfig: ...
    @property
    def text(self) -> BagTextConfig: ...
    @property
    def seed(self) -> int: ...
    @property
    def per_step(self) -> bool: ...


class Inputs(NamedTuple):
    """Inputs that a network reads.

    Attributes:
        channels: number of those of the sequences; 0 for texts.
        learned: statistics of the channels over the train part; 0 and 1 if not given.
        indicators: tells the network which values are missing.
        vocabulary: of texts; None for numbers.
        sequences: of the train part, which random convolutions are drawn from.
    """

    channels: int
    learned: sequence_statistics.ChannelStatistics | None = None
    indicators: bool = False
    vocabulary: words.Vocabulary | None = None
    sequences: ragged.Sequences | None = None


def added(config: Config, given: Inputs) -> tuple[Any, Any]:
    """Returns the inputs of a network, and what encodes them.

    Args:
        config: of the task.
        given: numbers of one kind, or texts.

    Returns:
        The input `values` float32 (batch, time, channels), NaN after the end and where missing, or
        `words` int32 (batch, time) and `letters` int32 (batch, time, letters); and vectors float32
        (batch, width), or (batch, time, width) where `config.per_step`.
    """
    learned, vocabulary = given.learned, given.vocabulary
    if vocabulary is None:
        values = keras.Input((None, given.channels), name="values")
        if config.model.random_kernels and given.sequences is not None:
            kernels = random_convolutions.drawn(
                given.sequences, config.model.random_kernels, config.seed, smooth=True
            )
            dropout = keras.layers.Dropout(config.model.dropout, name="kernel_dropout")
            return values, dropout(kernels(values))
        return values, sequence_encoder.encode(
            values,
            config.model,
            per_step=config.per_step,
            mean=None if learned is None else learned.mean.tolist(),
            deviation=None if learned is None else learned.deviation.tolist(),
            indicators=given.indicators,
        )
    inputs = {
        "words": keras.Input((None,), dtype="int32", name="words"),
        "letters": keras.Input((None, None), dtype="int32", name="letters"),
    }
    return inputs, text_encoder.encode(
        inputs["words"],
        inputs["letters"],
        config.text,
        config.model,
        word_count=vocabulary.word_count,
        letter_count=vocabulary.letter_count,
        seed=config.seed,
    )


def preprocessed(
    given: tf.Tensor, vocabulary: words.Vocabulary | None = None
) -> tf.Tensor | dict[str, tf.Tensor]:
    """Returns the inputs of the network for values or texts, in pure TensorFlow.

    Args:
        given: values float32 (batch, time, channels), NaN after the end and where missing; padding
            in front of a sequence is moved after its end. Or texts string (batch,).
        vocabulary: of texts.
    """
    return sequence_inputs.left_aligned(given) if vocabulary is None else vocabulary.inputs(given)
