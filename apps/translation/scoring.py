"""Translates encoded texts by a beam search, and scores translations that are given."""

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
from apps.suite.texts.pair_files import Pair
from apps.translation import data, measures, trained_model

ROWS = 64
_MORE = 8  # tokens that a short translation may be longer than the ratio says
_FORBIDDEN = (subwords.PADDING, subwords.START)
_VALIDATED = 400  # validation pairs that are translated at a checkpoint


def longest(lengths: tf.Tensor, ratio: float) -> tf.Tensor:
    """Returns the most tokens int32 (b,) of translations of sources with int32 (b,) tokens."""
    scaled = tf.math.ceil(ratio * tf.cast(lengths, tf.float32))
    return tf.cast(scaled, tf.int32) + _MORE


def found(
    network: keras.Model,
    source: tf.Tensor,
    ratio: float,
    width: int | tf.Tensor,
    penalty: float | tf.Tensor,
) -> beam_search.Found:
    """Searches translations of sources int32 (b, s), which end with END, 0 after that."""
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
    """Scores of given translations.

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
    """Translations of texts in their order, their scores and ln p, float32 [texts] each."""

    texts: list[str]
    scores: np.ndarray
    log_probabilities: np.ndarray
    texts_a_second: float


class Translator:
    """Translates texts by one graph for all sizes.

    Args:
        network: of `model.build`.
        source, target: the pieces of both sides.
        ratio: of the longest translation to its source.
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
        """Translates texts, those of about equal length together."""
        began = time.perf_counter()
        ids = data.preprocess(tf.constant(list(texts)), self._source)
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


def of_trained(trained: trained_model.TrainedModel) -> Translator:
    """Returns the translator of a trained model."""
    return Translator(trained.model, trained.source, trained.target, trained.length_ratio)


class Validation:
    """Scores a network on validation pairs, as often as it is called, by two graphs.

    Args:
        network: of `model.build`, whose weights change between the calls.
        translator: of the same network.
        pairs: of the validation part.
        encoded: the same pairs.
    """

    def __init__(
        self,
        network: keras.Model,
        translator: Translator,
        pairs: Sequence[Pair],
        encoded: pair_batches.Encoded,
    ) -> None:
        self._translator, self._encoded = translator, encoded
        step = max(1, len(pairs) // _VALIDATED)
        self._pairs = measures.by_source(pairs)[::step][:_VALIDATED]
        spec = tf.TensorSpec([None, None], tf.int32)
        self._nats = tf.function(
            lambda source, following: tf.reduce_sum(scored(network, source, following).nats),
            autograph=False,
            input_signature=[spec, spec],
        )

    def __call__(self) -> dict[str, float]:
        """Returns the mean nats of a token, and BLEU of greedy translations of some sources."""
        nats = 0.0
        for chosen in batches.in_order(self._encoded.lengths[1], ROWS):
            source, _, following = pair_batches.padded(self._encoded, chosen)
            nats += float(self._nats(source, following))
        answers = self._translator([each.source for each in self._pairs], 1, 0.0)
        bleu = measures.bleu(answers.texts, [each.targets for each in self._pairs])
        return {"loss": nats / max(1, len(self._encoded.targets)), "bleu": bleu}
