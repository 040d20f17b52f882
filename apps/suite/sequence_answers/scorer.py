"""Asks a network of sequences or texts: a batch as it is exported, many of them in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.suite.sequences import batches, encoded_inputs, ragged
from apps.suite.texts import words

_ROWS, _STEPS = 64, 65_536  # of a question, at most


def _as_they_are(outputs: tf.Tensor) -> tf.Tensor:
    return outputs


class Scorer:
    """Answers sequences or texts with the weights that the network has at the time.

    Args:
        network: of values (batch, time, channels), or of words and letters.
        vocabulary: of texts; None for numbers.
        by_step: each step has an answer.
        activation: makes answers of the outputs of the network's head.
        finished: makes what is returned of answers (batch, time, …), and of what steps have a
            value, bool (batch, time); None = the answers.
    """

    def __init__(
        self,
        network: keras.Model,
        vocabulary: words.Vocabulary | None = None,
        *,
        by_step: bool = False,
        activation: Callable[[tf.Tensor], tf.Tensor] = _as_they_are,
        finished: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None,
    ) -> None:
        self.by_step, self.activation = by_step, activation
        self._network, self._vocabulary, self._finished = network, vocabulary, finished
        given = tf.TensorSpec([None], tf.string)
        if vocabulary is None:
            given = tf.TensorSpec(network.inputs[0].shape, tf.float32)
        self._ask = tf.function(self.of_batch, input_signature=[given], autograph=False)

    def of_batch(self, given: tf.Tensor) -> tf.Tensor:
        """Computes the answers (b, …), or (b, time, …) by step, to values or texts."""
        if not self.by_step:
            given = encoded_inputs.preprocessed(given, self._vocabulary)
        return self.of_inputs(given)

    def of_inputs(self, inputs: Any) -> tf.Tensor:
        """Computes the same of the network's own inputs, see `encoded_inputs.preprocessed`."""
        found = self.activation(self._network(inputs, training=False))
        if self._finished is None:
            return found
        return self._finished(found, tf.reduce_any(tf.math.is_finite(inputs), axis=-1))

    def __call__(self, sequences: ragged.Sequences) -> np.ndarray:
        """Returns the answers to sequences in their order, [sequences, …], or [steps, …]."""
        texts = sequences.texts
        lengths = np.array([len(text) for text in texts]) if len(texts) else sequences.lengths
        rows = max(1, min(_ROWS, _STEPS // max(1, int(lengths.max(initial=1)))))
        found: list[Any] = [None] * len(sequences)
        for chosen in batches.in_order(lengths, rows):
            given = texts[chosen] if len(texts) else batches.padded(sequences, chosen)
            answers = self._ask(tf.constant(given)).numpy()
            for index, row in zip(chosen, answers, strict=True):
                found[index] = row[: lengths[index]] if self.by_step else row
        return np.concatenate(found) if self.by_step else np.stack(found)
