"""Plots and blocks of labels say in words what they show, of few labels and of many."""

import matplotlib.image
import numpy as np
import pytest

from apps.suite.evaluation import class_blocks, class_plots, classification, matrix_plots


@pytest.mark.parametrize("labels", [2, 14, 101])
def test_the_confusion_of_few_and_many_labels_names_the_worst(tmp_path, labels):
    counts = 9 * np.eye(labels, dtype=int)
    counts[0, 1] = 4
    names = [f"word {at}" for at in range(labels)]
    plot = matrix_plots.confusion(tmp_path, counts, names, "clips", right="said")
    told = f"{9 * labels} of {9 * labels + 4:,} clips are on the diagonal; word 0 taken for word 1"
    assert plot.alternative == f"{told} 4 times."
    light, dark = (matplotlib.image.imread(file) for file in (plot.light, plot.dark))
    assert not np.array_equal(light, dark)
    assert light.shape[0] < 2_000


def test_how_early_the_answer_is_right_is_told_with_its_unit(tmp_path):
    plot = class_plots.by_beginning(
        tmp_path, "early", "Early", {1: 0.2, 3: 0.9}, "frames", {"single frame": 0.3}
    )
    assert plot.alternative == "Accuracy by frames seen: 1: 20.0 %, 3: 90.0 %."
    assert plot.light.name == "early.png"


def test_the_surest_answers_come_first_and_failures_apart():
    labels = np.array([0, 1, 1, 0])
    probabilities = np.array([[0.7, 0.3], [0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    wrong, right = class_blocks.surest(labels, probabilities)
    assert (wrong, right) == ([1, 3], [2, 0])
    told = class_blocks.told("clip", ("yes", "no"), 1, probabilities[1])
    assert told == "clip: “no”, taken for “yes”, 90 % sure; the right label had 10.0 %."
    first, second = class_blocks.sections(wrong, [], lambda name, at: [(name, at)])
    assert first.blocks == [("wrong_1", 1), ("wrong_2", 3)]
    assert "none" in second.blocks[0].text


def test_only_the_worst_groups_are_listed_and_the_caption_says_so():
    groups = [classification.GroupScore(f"g{at}", 2, at / 10) for at in range(5)]
    table = class_blocks.by_group(groups, "clips", "speaker", most=2)
    assert [row[0] for row in table.rows] == ["g0", "g1"]
    assert table.caption.endswith("2 of 5.")
    assert class_blocks.by_group(groups, "clips").caption.endswith("first.")
