"""Measures class probabilities: accuracy, macro F1, top five, confusion, groups, intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn import metrics as sklearn_metrics

from apps.suite.evaluation import comparison

PRIMARY = "accuracy"


class GroupScore(NamedTuple):
    """Accuracy on the examples of one group, such as a speaker or a scene."""

    group: str
    examples: int
    accuracy: float


def scores(
    labels: np.ndarray, probabilities: np.ndarray, top: int | None = None
) -> dict[str, float]:
    """Returns accuracy and macro F1, and on request the accuracy among the `top` best labels.

    Macro F1 is the mean over the labels of the harmonic mean of precision and recall.

    Args:
        labels: int [examples], the right ones.
        probabilities: float [examples, labels]; the greatest one of a row is the answer.
        top: adds `top_<top>_accuracy` if there are more labels than this.
    """
    answers = probabilities.argmax(axis=1)
    f1 = sklearn_metrics.f1_score(labels, answers, average="macro", zero_division=0)
    found = {"accuracy": float(np.mean(answers == labels)), "macro_f1": float(f1)}
    if top is not None and probabilities.shape[1] > top:
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        found[f"top_{top}_accuracy"] = float(np.mean((best == labels[:, None]).any(axis=1)))
    return found


def cross_entropy(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Returns the mean of -ln p of the right label, in nats per example."""
    right = np.take_along_axis(probabilities, labels[:, None], axis=1)
    return float(-np.log(np.maximum(right, 1e-30, dtype=np.float64)).mean())


def confusion(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Counts examples by right label (rows) and by answer (columns): int [labels, labels]."""
    every = np.arange(probabilities.shape[1])
    answers = probabilities.argmax(axis=1)
    return np.asarray(sklearn_metrics.confusion_matrix(labels, answers, labels=every))


def by_group(
    groups: Sequence[str] | None, labels: np.ndarray, probabilities: np.ndarray
) -> list[GroupScore]:
    """Returns the accuracy of each group, the worst first.

    Args:
        groups: of each example; "" where it is unknown, None if there are no groups at all.
        labels, probabilities: as in `scores`.
    """
    right, named = probabilities.argmax(axis=1) == labels, np.array(groups or [], str)
    found = [
        GroupScore(str(group), int(here.sum()), float(right[here].mean()))
        for group in np.unique(named[named != ""])
        for here in [named == group]
    ]
    return sorted(found, key=lambda score: (score.accuracy, score.group))


def by_step(labels: np.ndarray, probabilities: np.ndarray) -> list[float]:
    """Returns the accuracy after 1, 2, … steps of probabilities [time, examples, labels]."""
    return [float(share) for share in (probabilities.argmax(axis=2) == labels).mean(axis=1)]


def interval(share: float, count: int) -> tuple[float, float]:
    """Returns the 95 % confidence interval of a share of `count` trials (Wilson 1927)."""
    z = 1.96
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    half = z / (1 + z * z / count) * spread
    return max(0.0, centre - half), min(1.0, centre + half)


def metrics(
    split: str,
    examples: Mapping[str, int],
    labels: np.ndarray,
    probabilities: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    further: Mapping[str, float],
    *,
    unit: str,
    top: int | None = None,
) -> dict[str, Any]:
    """Returns the values for `run_folder.RunFolder.write_metrics`.

    Args:
        split: how the parts were made, in words.
        examples: their number in each part.
        labels: int [examples], of the test part.
        probabilities: the model's, float [examples, labels].
        baselines: probabilities of the baselines, by name.
        further: measures of the task on the test part.
        unit: what an example is, in the plural.
        top: as in `scores`.
    """
    test = scores(labels, probabilities, top)
    test |= {"cross_entropy": cross_entropy(labels, probabilities), **further}
    of_baselines = {name: scores(labels, each, top) for name, each in baselines.items()}
    return comparison.metrics(examples, split, unit, PRIMARY, test, of_baselines)


def further_scores(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Returns the balanced accuracy, and the expected calibration error in ten bins.

    Balanced accuracy is the mean over the labels that occur of the share of their examples that is
    found. The calibration error is the mean distance of confidence and accuracy (Guo et al. 2017).
    """
    return {
        "balanced_accuracy": float(
            np.mean(
                [
                    np.mean(probabilities[labels == label].argmax(axis=1) == label)
                    for label in np.unique(labels)
                ]
            )
        ),
        "calibration_error": sum(
            share * abs(confidence - accuracy)
            for confidence, accuracy, share in reliability(labels, probabilities)
        ),
    }


def reliability(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = 10
) -> list[tuple[float, float, float]]:
    """Returns mean confidence, accuracy and share of the examples in bins of the confidence."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        (float(confidence[here].mean()), float(right[here].mean()), float(here.mean()))
        for here in (place == at for at in range(bins))
        if here.any()
    ]


def disagreements(
    labels: np.ndarray, probabilities: np.ndarray, others: np.ndarray
) -> tuple[int, int]:
    """Returns how many examples only the first is right on, and how many only the other one."""
    first, second = (each.argmax(axis=1) == labels for each in (probabilities, others))
    return int((first & ~second).sum()), int((second & ~first).sum())
