"""Computes a model's probabilities of sequences, texts or steps, and measures them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.sequence_classification import data, trained_model
from apps.suite.evaluation import classification, segments
from apps.suite.sequence_answers import scorer as scorers
from apps.suite.sequence_answers import smoothing
from apps.suite.sequences import ragged
from apps.suite.texts import words


def scorer(
    network: keras.Model,
    vocabulary: words.Vocabulary | None = None,
    smooth: smoothing.Smoothing | None = None,
) -> scorers.Scorer:
    """Returns a function from sequences to probabilities, float32 [cases, labels].

    A case is a sequence, or a step of one with labels by step; those are smoothed over time where
    `smooth` is given.
    """

    def smoothed(probabilities: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
        assert smooth is not None
        return smoothing.smoothed(probabilities, counted, *smooth)

    return scorers.Scorer(
        network,
        vocabulary,
        by_step=len(network.outputs[0].shape) == 3,
        activation=tf.nn.softmax,
        finished=None if smooth is None else smoothed,
    )


def of_trained(trained: trained_model.TrainedModel) -> scorers.Scorer:
    """Returns the scorer of what training left, which answers as it is served."""
    return scorer(trained.model, trained.vocabulary, trained.smooth)


def by_first_steps(score: scorers.Scorer, part: data.Part, steps: list[int]) -> dict[int, float]:
    """Returns the accuracy when only so many first steps (words) of each sequence were seen."""
    found = {}
    for count in steps:
        answers = score(ragged.shortened(part.sequences, count)).argmax(axis=1)
        found[count] = float(np.mean(answers == part.labels))
    return found


def known_steps(part: data.Part, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and probabilities of the rows that have a label."""
    known = part.labels >= 0
    return part.labels[known], probabilities[known]


def segment_scores(part: data.Part, probabilities: np.ndarray) -> dict[str, float]:
    """Returns the segmental measures of labels by step, see `segments.scores`."""
    pieces, answers = part.sequences.pieces, probabilities.argmax(axis=1)
    return segments.scores(zip(pieces(part.labels), pieces(answers), strict=True))


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
