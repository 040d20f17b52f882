"""What clips' probabilities are worth: accuracy, macro F1, by label and by speaker."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn import metrics as sklearn_metrics

from apps.speech_commands import recordings, stream_evaluation
from apps.suite.evaluation import comparison

PRIMARY = "accuracy"


class SpeakerScore(NamedTuple):
    """How well one speaker was understood."""

    speaker: str
    clips: int
    accuracy: float


class StreamScores(NamedTuple):
    """What `evaluate` found on streams of the test clips."""

    counts: stream_evaluation.Counts
    accuracy: float  # of the answer at each clip's end in the stream
    clip_accuracy: float  # of the same stretches of sound as clips of their own
    false_accepts_per_hour_on_validation: float


def scores(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Accuracy and macro F1: the mean over the labels of the harmonic mean of precision and recall.

    Args:
        labels: int [clips], the right ones.
        probabilities: float [clips, labels]; the greatest one of a row is the answer.
    """
    answers = probabilities.argmax(axis=1)
    f1 = sklearn_metrics.f1_score(labels, answers, average="macro", zero_division=0)
    return {"accuracy": float(np.mean(answers == labels)), "macro_f1": float(f1)}


def cross_entropy(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of -ln p of the right label, nats a clip."""
    right = np.take_along_axis(probabilities, labels[:, None], axis=1)
    return float(-np.log(np.maximum(right, 1e-30, dtype=np.float64)).mean())


def confusion(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Clips by right label (rows) and by answer (columns), int [labels, labels]."""
    every = np.arange(probabilities.shape[1])
    answers = probabilities.argmax(axis=1)
    return np.asarray(sklearn_metrics.confusion_matrix(labels, answers, labels=every))


def by_speaker(
    part: Sequence[recordings.Recording], labels: np.ndarray, probabilities: np.ndarray
) -> list[SpeakerScore]:
    """The scores of the speakers that are known, the worst first; those of `part`, one a clip."""
    right = probabilities.argmax(axis=1) == labels
    speakers = np.array([recording.speaker for recording in part])
    found = [
        SpeakerScore(str(speaker), int(here.sum()), float(right[here].mean()))
        for speaker in np.unique(speakers[speakers != ""])
        for here in [speakers == speaker]
    ]
    return sorted(found, key=lambda score: (score.accuracy, score.speaker))


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
    baselines: Mapping[str, np.ndarray],
    by_noise: Mapping[int, float],
    speakers: Sequence[SpeakerScore],
    streams: StreamScores | None,
) -> dict[str, Any]:
    """What `run_folder.RunFolder.write_metrics` is given.

    Args:
        split: how the parts were made, in words.
        examples: clips of each part.
        labels: int [clips], of the test part.
        probabilities: the model's, float [clips, labels].
        baselines: theirs, by name.
        by_noise: accuracy by the noise's signal-to-noise ratio in dB.
        speakers: what `by_speaker` returned.
        streams: None for a model that answers clips alone.
    """
    test: dict[str, float] = scores(labels, probabilities)
    test["cross_entropy"] = cross_entropy(labels, probabilities)
    if speakers:
        test["speakers"] = len(speakers)
        test["accuracy_of_the_worst_speaker"] = speakers[0].accuracy
    for decibels, accuracy in by_noise.items():
        test[f"accuracy_at_{decibels}_db"] = accuracy
    if streams is not None:
        counts = streams.counts
        test |= {
            "streaming_accuracy": streams.accuracy,
            "clip_accuracy_of_the_streams": streams.clip_accuracy,
            "miss_rate": counts.miss_rate,
            "wrong_detections_per_command": counts.wrong_rate,
            "false_accepts_per_hour": counts.false_accepts_per_hour,
            "false_accepts_per_hour_on_validation": streams.false_accepts_per_hour_on_validation,
            "stream_hours": counts.seconds / 3600,
            "stream_hours_without_commands": counts.no_command_seconds / 3600,
        }
    of_baselines = {name: scores(labels, each) for name, each in baselines.items()}
    return {
        "data": {"examples": dict(examples), "unit": "clips", "split": split},
        "primary": comparison.primary(PRIMARY, test, of_baselines, higher_is_better=True),
        "test": test,
        "baselines": of_baselines,
    }
