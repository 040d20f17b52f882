"""What videos' probabilities are worth: accuracy, top five, macro F1, by group, by frames seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn import metrics as sklearn_metrics

from apps.suite.evaluation import comparison

PRIMARY = "accuracy"
_TOP = 5


class GroupScore(NamedTuple):
    """How well the videos of one group were told."""

    group: str
    videos: int
    accuracy: float


def scores(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Accuracy, macro F1, and with more than five labels how often the right one is in the top 5.

    Args:
        labels: int [videos], the right ones.
        probabilities: float [videos, labels]; the greatest one of a row is the answer.
    """
    answers = probabilities.argmax(axis=1)
    f1 = sklearn_metrics.f1_score(labels, answers, average="macro", zero_division=0)
    found = {"accuracy": float(np.mean(answers == labels)), "macro_f1": float(f1)}
    if probabilities.shape[1] > _TOP:
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :_TOP]
        found["top_5_accuracy"] = float(np.mean((best == labels[:, None]).any(axis=1)))
    return found


def cross_entropy(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of -ln p of the right label, nats a video."""
    right = np.take_along_axis(probabilities, labels[:, None], axis=1)
    return float(-np.log(np.maximum(right, 1e-30, dtype=np.float64)).mean())


def confusion(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Videos by right label (rows) and by answer (columns), int [labels, labels]."""
    every = np.arange(probabilities.shape[1])
    answers = probabilities.argmax(axis=1)
    return np.asarray(sklearn_metrics.confusion_matrix(labels, answers, labels=every))


def by_group(
    groups: Sequence[str] | None, labels: np.ndarray, probabilities: np.ndarray
) -> list[GroupScore]:
    """The accuracy of each group's videos, the worst first; [] where there are no groups."""
    right, named = probabilities.argmax(axis=1) == labels, np.array(groups or [])
    found = [
        GroupScore(str(group), int(here.sum()), float(right[here].mean()))
        for group in np.unique(named)
        for here in [named == group]
    ]
    return sorted(found, key=lambda score: (score.accuracy, score.group))


def by_frames_seen(labels: np.ndarray, probabilities: np.ndarray) -> list[float]:
    """Accuracy after 1, 2, … frames, of probabilities [time, videos, labels]."""
    return [float(share) for share in (probabilities.argmax(axis=2) == labels).mean(axis=1)]


def interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share of `count` independent trials (Wilson 1927)."""
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
    clip_accuracy: float,
    baselines: Mapping[str, np.ndarray],
    groups: Sequence[GroupScore],
    frames_seen: Sequence[float],
) -> dict[str, Any]:
    """What `run_folder.RunFolder.write_metrics` is given.

    Args:
        split: how the parts were made, in words.
        examples: videos of each part.
        labels: int [videos], of the test part.
        probabilities: the model's, float [videos, labels], the mean of each video's clips.
        clip_accuracy: of the clips by themselves.
        baselines: probabilities of the baselines, by name.
        groups: what `by_group` returned.
        frames_seen: what `by_frames_seen` returned.
    """
    test: dict[str, float] = scores(labels, probabilities)
    test["cross_entropy"] = cross_entropy(labels, probabilities)
    test["clip_accuracy"] = clip_accuracy
    low, high = interval(test["accuracy"], len(labels))
    test |= {"accuracy_at_least": low, "accuracy_at_most": high}
    if groups:
        test["groups"] = len(groups)
        test["mean_accuracy_of_the_groups"] = float(np.mean([each.accuracy for each in groups]))
    quarters = sorted({max(1, round(len(frames_seen) * share / 4)) for share in (1, 2, 3)})
    for seen in quarters:
        test[f"accuracy_after_{seen}_frames"] = frames_seen[seen - 1]
    of_baselines = {name: scores(labels, each) for name, each in baselines.items()}
    return {
        "data": {"examples": dict(examples), "unit": "videos", "split": split},
        "primary": comparison.primary(PRIMARY, test, of_baselines, higher_is_better=True),
        "test": test,
        "baselines": of_baselines,
    }
