"""Scores are those of hand-made cases, and metrics have the schema of every task."""

import math

import numpy as np
import pytest

from apps.suite.evaluation import classification

LABELS = np.array([0, 0, 0, 1, 1, 2])
ANSWERS = np.array([0, 0, 1, 1, 1, 0])
PROBABILITIES = 0.1 + 0.7 * np.eye(3)[ANSWERS]


def test_accuracy_and_macro_f1_by_hand():
    found = classification.scores(LABELS, PROBABILITIES)
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["macro_f1"] == pytest.approx((2 * 2 / 6 + 2 * 2 / 5 + 0) / 3)
    assert found.keys() == {"accuracy", "macro_f1"}


def test_the_top_five_of_more_labels():
    odds = np.linspace(1, 0, 8)[None].repeat(8, axis=0)
    assert classification.scores(np.arange(8), odds, 5)["top_5_accuracy"] == pytest.approx(5 / 8)
    assert "top_5_accuracy" not in classification.scores(LABELS, PROBABILITIES, 5)


def test_cross_entropy_is_what_the_right_label_cost():
    expected = -(4 * math.log(0.8) + 2 * math.log(0.1)) / 6
    assert classification.cross_entropy(LABELS, PROBABILITIES) == pytest.approx(expected)
    assert math.isfinite(classification.cross_entropy(LABELS, np.eye(3)[ANSWERS]))


def test_the_confusion_has_a_row_for_each_label_even_if_nothing_is_in_it():
    wide = np.pad(PROBABILITIES, [(0, 0), (0, 1)])
    expected = np.zeros((4, 4), int)
    expected[0, 0], expected[0, 1], expected[1, 1], expected[2, 0] = 2, 1, 2, 1
    np.testing.assert_array_equal(classification.confusion(LABELS, wide), expected)


def test_groups_that_are_known_come_worst_first():
    groups = ["ann", "bob", "bob", "bob", "", "cid"]
    assert classification.by_group(None, LABELS, PROBABILITIES) == []
    assert classification.by_group(groups, LABELS, PROBABILITIES) == [
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


def test_accuracy_after_each_step():
    over_time = np.stack([PROBABILITIES[:, ::-1], PROBABILITIES])
    assert classification.by_step(LABELS, over_time)[1] == pytest.approx(4 / 6)


def test_the_metrics_have_the_schema_of_every_task():
    found = classification.metrics(
        "by voice",
        {"train": 9, "validation": 3, "test": 6},
        LABELS,
        PROBABILITIES,
        {"mean": np.eye(3)[[0, 0, 0, 0, 0, 0]], "other": np.eye(3)[LABELS]},
        {"clip_accuracy": 0.5},
        unit="clips",
    )
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
    assert list(found["test"]) == ["accuracy", "macro_f1", "cross_entropy", "clip_accuracy"]
