"""Scores a text while learning from it: dynamic evaluation (Krause et al. 2018).

The text is read once, in segments. The weights of the moment score a segment; then a step of
gradient descent on it changes them for the segments that follow:

    θ ← θ - rate g / (√s + mean √s) + decay r (θ_0 - θ)        r = min(√s / mean √s, 1 / decay)

with g the gradient of the segment's mean -ln p, and s the mean of g² over segments of the training
part at the trained weights θ_0; the means are over all weights. So a weight that usually has large
gradients takes shorter steps, and returns faster. Rate and decay are chosen on the validation part.

The figure is one of a reader who remembers. `predict` and an export keep the trained weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.suite.networks import sampling
from apps.text_generation import data, model, trained_model

SEGMENT_TOKENS = 32
_RATES = (2e-4, 5e-4, 1e-3, 2e-3, 4e-3)
_DECAYS = (1e-3, 3e-3, 1e-2, 3e-2)
_MOST_TOKENS = 20_000  # of the validation part, which is read once for each of them
_STATISTICS_SEGMENTS = 200


class Adapted(NamedTuple):
    """A text part scored while learning from it.

    Attributes:
        rate: of the gradients.
        decay: share of the way back to the trained weights after each segment.
        validation: the tokens of the validation part that chose both, int32 [tokens].
        validation_nats: -ln p of all of those but the first, float32 [tokens - 1].
        nats: -ln p of all tokens of the test part but the first, float32 [tokens - 1].
    """

    rate: float
    decay: float
    validation: np.ndarray
    validation_nats: np.ndarray
    nats: np.ndarray


def evaluate(trained: trained_model.TrainedModel, tokens: data.Tokens) -> Adapted:
    """Chooses rate and decay on the validation part, and reads the test part with them.

    Both parts begin with the trained weights and an empty state. First the rate rises, at the
    lowest decay, as long as that helps; then the decay does. The trained network stays as it is.
    """
    reader = Reader(trained, tokens.train)
    validation = tokens.validation[: _MOST_TOKENS + 1]
    best, found = (0.0, 0.0), reader.token_nats(validation, 0.0, 0.0)
    for candidates in (
        ((rate, _DECAYS[0]) for rate in _RATES),
        ((best[0], decay) for decay in _DECAYS[1:]),  # at the rate that was found by then
    ):
        for rate, decay in candidates:
            nats = reader.token_nats(validation, rate, decay)
            mean = float(nats.mean())
            told = f"{mean:.4f}" if math.isfinite(mean) else "diverged"
            print(f"rate {rate:g}, decay {decay:g}: {told} nats per token", flush=True)
            if not mean < found.mean():
                break
            best, found = (rate, decay), nats
    return Adapted(*best, validation, found, reader.token_nats(tokens.test, *best))


class Reader:
    """Reads texts with weights that follow them; each text begins with the trained ones.

    Args:
        trained: the network; a copy of it learns.
        train: int32 [tokens] of the training part, whose end gives the mean squares s.
        segment_tokens: of a segment.
    """

    def __init__(
        self,
        trained: trained_model.TrainedModel,
        train: np.ndarray,
        segment_tokens: int = SEGMENT_TOKENS,
    ) -> None:
        self._network = model.build_streaming(trained.config, trained.tokenizer.vocabulary_size)
        self._segment = segment_tokens
        self._trained = [tf.constant(weight) for weight in trained.streaming.trainable_weights]
        self._steps = self._pulls = [tf.ones_like(weight) for weight in self._trained]
        squares = [tf.zeros_like(weight) for weight in self._trained]
        count = 0
        for gradients in self._walk(train[-_STATISTICS_SEGMENTS * segment_tokens - 1 :], 0.0, 0.0):
            squares = [s + g**2 for s, g in zip(squares, gradients[1], strict=True)]
            count += 1
        roots = [tf.sqrt(each / count) for each in squares]
        weights = sum(int(tf.size(each)) for each in roots)
        mean = tf.add_n([tf.reduce_sum(each) for each in roots]) / weights
        self._steps = [1.0 / (each + mean) for each in roots]
        self._pulls = [each / mean for each in roots]

    def token_nats(self, tokens: np.ndarray, rate: float, decay: float) -> np.ndarray:
        """Returns -ln p of every token but the first, given all tokens before it.

        What stands after a token's segment has no part in its score. With rate 0 this is
        `scoring.token_nats` of one row.

        Args:
            tokens: int32 [tokens], at least 2.
            rate: of the gradients.
            decay: share of the way back to the trained weights, 0 to 1.

        Returns:
            float32 [tokens - 1]; not finite where the rate is too high.
        """
        return np.concatenate([nats for nats, _ in self._walk(tokens, rate, decay)])

    def _walk(self, tokens: np.ndarray, rate: float, decay: float) -> Iterator[tuple]:
        """Yields nats [segment] and the gradients of each segment, from the trained weights on."""
        for weight, value in zip(self._network.trainable_weights, self._trained, strict=True):
            weight.assign(value)
        states = sampling.initial_states(self._network, 1)
        how = tf.constant(rate, tf.float32), tf.constant(decay, tf.float32)
        for start in range(0, len(tokens) - 1, self._segment):
            read = tf.constant(tokens[None, start : start + self._segment + 1], tf.int32)
            nats, gradients, states = _read(self._network, read[:, :-1], read[:, 1:], states)
            _step(self._network, self._trained, gradients, self._steps, self._pulls, *how)
            yield nats[0].numpy(), gradients


@tf.function(autograph=False, reduce_retracing=True)
def _read(
    network: keras.Model, now: tf.Tensor, following: tf.Tensor, states: list[tf.Tensor]
) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
    """Nats of the following tokens [1, segment], their gradients, the states after the last."""
    with tf.GradientTape() as tape:
        logits, *states = network([now, *states], training=False)
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(following, logits)
        loss = tf.reduce_mean(nats)
    gradients = tape.gradient(loss, network.trainable_weights)
    return nats, [tf.convert_to_tensor(each) for each in gradients], states


@tf.function(autograph=False)
def _step(
    network: keras.Model,
    trained: list[tf.Tensor],
    gradients: list[tf.Tensor],
    steps: list[tf.Tensor],
    pulls: list[tf.Tensor],
    rate: tf.Tensor,
    decay: tf.Tensor,
) -> None:
    weights = network.trainable_weights
    for weight, origin, gradient, step, pull in zip(
        weights, trained, gradients, steps, pulls, strict=True
    ):
        now = tf.convert_to_tensor(weight)
        back = tf.minimum(decay * pull, 1.0)
        weight.assign(now - rate * step * gradient + back * (origin - now))
