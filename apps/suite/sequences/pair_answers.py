"""Writes texts for source texts by a beam search, and scores texts that are given."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.suite.networks import beam_search, encoder_decoder
from apps.suite.sequences import batches, pair_batches
from apps.suite.texts import subwords

ROWS = 64
_MORE = 8  # tokens that a short answer may be longer than the ratio says
_FORBIDDEN = (subwords.PADDING, subwords.START)


def longest(lengths: tf.Tensor, ratio: float) -> tf.Tensor:
    """Returns the most tokens int32 (b,) of answers to sources with int32 (b,) tokens."""
    scaled = tf.math.ceil(ratio * tf.cast(lengths, tf.float32))
    return tf.cast(scaled, tf.int32) + _MORE


def found(
    network: keras.Model,
    source: tf.Tensor,
    ratio: float,
    width: int | tf.Tensor,
    penalty: float | tf.Tensor,
) -> beam_search.Found:
    """Searches answers to sources int32 (b, s), which end with END, 0 after that."""
    decoder = encoder_decoder.Decoder(network)
    memory = decoder.read(source)
    lengths = tf.math.count_nonzero(source, axis=1, dtype=tf.int32)
    return beam_search.search(
        decoder.step(memory),
        memory.states,
        start=subwords.START,
        end=subwords.END,
        width=width,
        longest=longest(lengths, ratio),
        length_penalty=penalty,
        forbidden=_FORBIDDEN,
    )


class Scored(NamedTuple):
    """Scores of given texts.

    Attributes:
        nats: float32 (b, t), -ln p of each token given those before it, 0 after the end.
        attention: float32 (b, t, s), the share of each source token when a token is written.
    """

    nats: tf.Tensor
    attention: tf.Tensor


def scored(network: keras.Model, source: tf.Tensor, following: tf.Tensor) -> Scored:
    """Scores targets int32 (b, t), which end with END, for sources int32 (b, s)."""
    shifted = tf.where(following == subwords.END, subwords.PADDING, following)[:, :-1]
    target = tf.pad(shifted, [[0, 0], [1, 0]], constant_values=subwords.START)
    outputs = network({"source": source, "target": target}, training=False)
    nats = -encoder_decoder.log_likelihood(outputs, source, following)
    return Scored(nats, tf.cast(outputs["attention"], tf.float32))


class Answers(NamedTuple):
    """Answers to texts in their order, their scores and ln p, float32 [texts] each."""

    texts: list[str]
    scores: np.ndarray
    log_probabilities: np.ndarray
    texts_a_second: float


class Writer:
    """Answers texts by one graph for all sizes.

    Args:
        network: of `model.build`.
        source, target: the pieces of both sides.
        ratio: of the longest answer to its source.
    """

    def __init__(
        self,
        network: keras.Model,
        source: subwords.Subwords,
        target: subwords.Subwords,
        ratio: float,
    ) -> None:
        self._source = source

        def answer(ids: tf.Tensor, width: tf.Tensor, penalty: tf.Tensor) -> tuple[tf.Tensor, ...]:
            best = found(network, ids, ratio, width, penalty)
            text = target.decode(best.tokens[:, 0])
            return text, best.scores[:, 0], best.log_probabilities[:, 0]

        self._answer = tf.function(
            answer,
            autograph=False,
            input_signature=[
                tf.TensorSpec([None, None], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.float32),
            ],
        )

    def __call__(self, texts: Sequence[str], width: int, penalty: float) -> Answers:
        """Answers texts, those of about equal length together."""
        began = time.perf_counter()
        ids = pair_batches.with_end(tf.constant(list(texts)), self._source)
        lengths = ids.row_lengths().numpy()
        answers: list[str] = [""] * len(texts)
        numbers = np.zeros((2, len(texts)), np.float32)
        for chosen in batches.in_order(lengths, ROWS):
            rows = tf.gather(ids, chosen).to_tensor()
            written, *values = self._answer(rows, width, penalty)
            for index, text in zip(chosen, written.numpy(), strict=True):
                answers[index] = text.decode()
            numbers[:, chosen] = values
        return Answers(answers, *numbers, len(texts) / (time.perf_counter() - began))
