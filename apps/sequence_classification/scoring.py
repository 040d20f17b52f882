"""Computes a model's probabilities of sequences, texts or steps, and measures them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.sequence_classification import data, trained_model
from apps.suite.evaluation import classification, segments
from apps.suite.sequence_answers import smoothing
from apps.suite.sequences import batches, ragged
from apps.suite.texts import words


class Scorer:
    """Answers sequences with the weights that the model has at the time.

    Args:
        trained: what `model.build` returned.
        vocabulary: of texts.
        smooth: how labels of steps are smoothed over time; None = not at all.
    """

    def __init__(
        self,
        trained: keras.Model,
        vocabulary: words.Vocabulary | None = None,
        smooth: smoothing.Smoothing | None = None,
    ) -> None:
        self._trained, self._vocabulary, self._smooth = trained, vocabulary, smooth
        self._by_step = len(trained.outputs[0].shape) == 3
        self._ask = batches.asker(trained, vocabulary, self.of_batch, by_step=self._by_step)

    def of_batch(self, given: tf.Tensor) -> tf.Tensor:
        """Computes float32 [b, labels] or [b, time, labels] of values or texts, in TensorFlow."""
        inputs = given if self._by_step else data.preprocess(given, self._vocabulary)
        found = tf.nn.softmax(self._trained(inputs, training=False))
        if self._smooth is None:
            return found
        counted = tf.reduce_any(tf.math.is_finite(given), axis=-1)
        return smoothing.smoothed(found, counted, *self._smooth)

    def __call__(self, part: data.Part) -> np.ndarray:
        """Returns float32 [sequences, labels], or [steps, labels] with labels by step."""
        return self._ask(part.sequences)


def scorer(trained: trained_model.TrainedModel) -> Scorer:
    """Returns the scorer of what training left, which answers as it is served."""
    return Scorer(trained.model, trained.vocabulary, trained.smooth)


def by_first_steps(score: Scorer, part: data.Part, steps: list[int]) -> dict[int, float]:
    """Returns the accuracy when only so many first steps (words) of each sequence were seen."""
    found = {}
    for count in steps:
        shortened = part._replace(sequences=ragged.shortened(part.sequences, count))
        found[count] = float(np.mean(score(shortened).argmax(axis=1) == part.labels))
    return found


def known_steps(part: data.Part, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and probabilities of the rows that have a label."""
    known = part.labels >= 0
    return part.labels[known], probabilities[known]


def segment_scores(part: data.Part, probabilities: np.ndarray) -> dict[str, float]:
    """Returns the segmental measures of labels by step, see `segments.scores`."""
    answers = probabilities.argmax(axis=1)
    pairs = [
        (part.labels[rows], answers[rows])
        for rows in map(part.sequences.rows, range(len(part.sequences)))
    ]
    return segments.scores(pairs)


def metrics(
    corpus: data.Corpus,
    probabilities: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    by_step: bool,
) -> dict[str, Any]:
    """Returns the values for `run_folder.RunFolder.write_metrics`.

    Args:
        corpus: its test part was answered.
        probabilities: the model's, float [sequences or steps, labels].
        baselines: those of the baselines, by name.
        by_step: with labels by step.
    """
    test = corpus.test
    labels, of_model = known_steps(test, probabilities)
    further = classification.further_scores(labels, of_model)
    if by_step:
        further |= segment_scores(test, probabilities)
    found = classification.metrics(
        corpus.split,
        {name: len(part.sequences) for name, part in corpus.parts.items()},
        labels,
        of_model,
        {name: known_steps(test, each)[1] for name, each in baselines.items()},
        further,
        unit="texts" if corpus.is_text else "sequences",
    )
    for name, each in baselines.items():
        more = {"cross_entropy": classification.cross_entropy(labels, known_steps(test, each)[1])}
        more |= segment_scores(test, each) if by_step else {}
        found["baselines"][name] |= more
    return found
