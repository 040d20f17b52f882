"""Clip scores are those of hand-made cases, and metrics.json gets all of them as numbers."""

import math

import numpy as np
import pytest

from apps.speech_commands import recordings, stream_evaluation
from apps.suite.evaluation import classification

LABELS = np.array([0, 0, 0, 1, 1, 2])
ANSWERS = np.array([0, 0, 1, 1, 1, 0])
PROBABILITIES = 0.1 + 0.7 * np.eye(3)[ANSWERS]
PART = [
    recordings.Recording(f"{at}.wav", "any", speaker)
    for at, speaker in enumerate(["ann", "bob", "bob", "bob", "", "cid"])
]
COUNTS = stream_evaluation.Counts(
    said=np.array([8, 2]),
    hits=np.array([6, 1]),
    wrong=np.array([1, 0]),
    false=np.array([2, 1]),
    no_command_seconds=1800.0,
    seconds=3600.0,
)


def whole(**changes):
    given = {
        "split": "by voice",
        "examples": {"train": 9, "validation": 3, "test": 6},
        "labels": LABELS,
        "probabilities": PROBABILITIES,
        "baselines": {"mean": np.eye(3)[[0, 0, 0, 0, 0, 0]], "other": np.eye(3)[LABELS]},
        "by_noise": {20: 0.5, 0: 0.25},
        "speakers": classification.by_speaker(PART, LABELS, PROBABILITIES),
        "streams": classification.StreamScores(COUNTS, 0.75, 0.8, 4.0),
    }
    return classification.metrics(**{**given, **changes})


def test_accuracy_and_macro_f1_by_hand():
    found = classification.scores(LABELS, PROBABILITIES)
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["macro_f1"] == pytest.approx((2 * 2 / 6 + 2 * 2 / 5 + 0) / 3)


def test_cross_entropy_is_what_the_right_label_cost():
    expected = -(4 * math.log(0.8) + 2 * math.log(0.1)) / 6
    assert classification.cross_entropy(LABELS, PROBABILITIES) == pytest.approx(expected)
    assert math.isfinite(classification.cross_entropy(LABELS, np.eye(3)[ANSWERS]))


def test_the_confusion_has_a_row_for_each_label_even_if_nothing_is_in_it():
    wide = np.pad(PROBABILITIES, [(0, 0), (0, 1)])
    expected = np.zeros((4, 4), int)
    expected[0, 0], expected[0, 1], expected[1, 1], expected[2, 0] = 2, 1, 2, 1
    np.testing.assert_array_equal(classification.confusion(LABELS, wide), expected)


def test_speakers_that_are_known_come_worst_first():
    assert classification.by_speaker(PART, LABELS, PROBABILITIES) == [
        ("cid", 1, 0.0),
        ("bob", 3, pytest.approx(2 / 3)),
        ("ann", 1, 1.0),
    ]


@pytest.mark.parametrize(
    ("share", "count", "low", "high"),
    [(0.5, 100, 0.4038, 0.5962), (1.0, 50, 0.9287, 1.0), (0.0, 50, 0.0, 0.0713)],
)
def test_intervals_are_those_of_the_tables(share, count, low, high):
    assert classification.interval(share, count) == pytest.approx((low, high), abs=2e-4)


def test_the_metrics_have_the_schema_of_every_task():
    found = whole()
    assert found["primary"] == {
        "name": "accuracy",
        "higher_is_better": True,
        "model": pytest.approx(4 / 6),
        "baseline": {"name": "other", "value": 1.0},
    }
    assert found["data"] == {
        "examples": {"train": 9, "validation": 3, "test": 6},
        "unit": "clips",
        "split": "by voice",
    }
    assert found["baselines"]["mean"]["accuracy"] == 0.5
    assert all(isinstance(value, int | float) for value in found["test"].values())


def test_errors_on_streams_are_counted_as_a_user_feels_them():
    test = whole()["test"]
    assert test["miss_rate"] == pytest.approx(0.3)
    assert test["wrong_detections_per_command"] == pytest.approx(0.1)
    assert test["false_accepts_per_hour"] == pytest.approx(6)
    assert test["stream_hours"] == 1
    assert test["stream_hours_without_commands"] == 0.5


def test_without_streams_or_speakers_there_are_no_numbers_for_them():
    test = whole(streams=None, speakers=[], by_noise={})["test"]
    assert test.keys() == {"accuracy", "macro_f1", "cross_entropy"}
