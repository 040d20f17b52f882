"""Computes a model's probabilities of sequences, texts or steps, and measures them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.sequence_classification import data
from apps.suite.evaluation import classification, segments
from apps.suite.sequences import batches
from apps.suite.texts import words


class Scorer:
    """Answers sequences with the weights that the model has at the time.

    Args:
        trained: what `model.build` returned.
        vocabulary: of texts.
    """

    def __init__(self, trained: keras.Model, vocabulary: words.Vocabulary | None = None) -> None:
        self._trained, self._vocabulary = trained, vocabulary
        self._by_step = len(trained.outputs[0].shape) == 3
        self._ask = batches.asker(trained, vocabulary, self.of_batch, by_step=self._by_step)

    def of_batch(self, given: tf.Tensor) -> tf.Tensor:
        """Computes float32 [b, labels] or [b, time, labels] of values or texts, in TensorFlow."""
        inputs = given if self._by_step else data.preprocess(given, self._vocabulary)
        return tf.nn.softmax(self._trained(inputs, training=False))

    def __call__(self, part: data.Part) -> np.ndarray:
        """Returns float32 [sequences, labels], or [steps, labels] with labels by step."""
        return self._ask(part.sequences)


def by_first_steps(score: Scorer, part: data.Part, steps: list[int]) -> dict[int, float]:
    """Returns the accuracy when only so many first steps (words) of each sequence were seen."""
    return {
        count: float(np.mean(score(data.shortened(part, count)).argmax(axis=1) == part.labels))
        for count in steps
    }


def by_length(part: data.Part, right: np.ndarray, bins: int = 4) -> list[tuple[str, int, float]]:
    """Returns length, sequences and accuracy in bins with about as many sequences each.

    Args:
        part: the test part.
        right: bool [sequences], or the share of its steps that are right, float [sequences].
        bins: how many, at most.
    """
    counted = np.array([len(text.split()) for text in part.texts])
    lengths = counted if part.texts else part.sequences.lengths
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, bins + 1)).round().astype(int))
    found = []
    for low, high in itertools.pairwise(edges):
        last = high == edges[-1]
        here = (lengths >= low) & ((lengths <= high) if last else (lengths < high))
        if here.any():
            name = f"{low} to {high if last else high - 1}"
            found.append((name, int(here.sum()), float(np.mean(right[here]))))
    return found or [(str(edges[0]), len(right), float(np.mean(right)))]


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


def groups_of(part: data.Part, by_step: bool) -> list[str] | None:
    """Returns the group of each sequence, or of each step that has a label; None without groups."""
    groups = part.sequences.groups
    if groups is None or not by_step:
        return None if groups is None else list(groups)
    of_rows = np.repeat(np.array(groups), part.sequences.lengths)
    return list(of_rows[part.labels >= 0])


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
