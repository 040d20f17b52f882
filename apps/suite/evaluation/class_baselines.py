"""Linear baselines of labels, whose strength of regularisation the validation part chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from sklearn import linear_model, pipeline, preprocessing

from apps.suite.evaluation import classification

Probabilities = Callable[[Any], np.ndarray]
"""Returns float32 (examples, labels) of the numbers that describe examples."""


def best(models: Iterable[Probabilities], labels: np.ndarray, held_out: Any) -> Probabilities:
    """Returns the model with the lowest cross entropy on the validation part.

    Args:
        models: to choose from; the first of equals is taken.
        labels: of the validation part, int [examples].
        held_out: the numbers of its examples.
    """
    return min(models, key=lambda model: classification.cross_entropy(labels, model(held_out)))


def logistic_regressions(
    learned: Any,
    labels: np.ndarray,
    count: int,
    strengths: Iterable[float],
    *,
    most_iterations: int,
    scaled: bool = True,
) -> Iterable[Probabilities]:
    """Yields a logistic regression for each strength, for `best` to choose from.

    Args:
        learned: numbers of the training examples, (examples, numbers).
        labels: int [examples].
        count: of all labels.
        strengths: scikit-learn's C.
        most_iterations: of the solver.
        scaled: brings each number to mean 0 and deviation 1.
    """
    for strength in strengths:
        model = linear_model.LogisticRegression(C=strength, max_iter=most_iterations)
        if scaled:
            model = pipeline.make_pipeline(preprocessing.StandardScaler(), model)
        yield of_model(model.fit(learned, labels), count)


def of_model(model: Any, count: int) -> Probabilities:
    """Returns the probabilities of a fitted model of scikit-learn, 0 for labels it has not seen."""
    return lambda given: spread(model.predict_proba(given), model.classes_, count)


def spread(probabilities: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """Returns probabilities of the classes in the places of all labels, 0 for the others.

    Args:
        probabilities: float [examples, classes].
        classes: numbers of these labels.
        count: of all labels.
    """
    found = np.zeros((len(probabilities), count), np.float32)
    found[:, classes] = probabilities
    return found
