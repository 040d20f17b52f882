"""Segments of labels by step are found, matched by overlap, and compared in their order."""

import numpy as np
import pytest

from apps.suite.evaluation import segments


def steps(*stretches):
    return np.concatenate([np.full(count, label) for label, count in stretches])


def test_segments_are_stretches_of_one_label():
    found = segments.of_labels(steps((1, 3), (0, 2), (-1, 2), (1, 1)))
    assert found == [(1, 0, 3), (0, 3, 5), (1, 7, 8)]
    assert segments.of_labels(np.zeros(0, int)) == []


def test_the_right_answer_has_all_scores_at_their_best():
    truth = steps((0, 10), (1, 20), (0, 5))
    assert set(segments.scores([(truth, truth)]).values()) == {1.0}


def test_an_answer_that_flickers_is_accurate_and_scores_low():
    truth = steps((0, 50), (1, 50))
    answer = truth.copy()
    answer[5:95:10] = 1 - answer[5:95:10]
    found = segments.scores([(truth, answer)])
    assert np.mean(truth == answer) > 0.9
    assert found["f1_at_50"] == 0
    assert found["edit_score"] < 0.2


def test_a_shifted_segment_counts_by_its_overlap():
    truth, answer = steps((0, 10), (1, 10)), steps((0, 14), (1, 6))
    # Of label 0 10 of 14 steps are common, of label 1 6 of 10.
    found = segments.scores([(truth, answer)])
    assert found["f1_at_50"] == 1
    worse = segments.scores([(truth, steps((0, 16), (1, 4)))])  # 10 of 16, and 4 of 10
    assert (worse["f1_at_25"], worse["f1_at_50"]) == (1, 0.5)


def test_a_true_segment_is_found_once():
    truth, answer = steps((0, 20)), steps((0, 12), (1, 1), (0, 7))
    assert segments.scores([(truth, answer)])["f1_at_10"] == pytest.approx(2 / (3 + 1))


def test_the_edit_score_counts_insertions_over_the_longer_order():
    truth, answer = steps((0, 5), (1, 5)), steps((0, 3), (2, 2), (1, 5))
    assert segments.scores([(truth, answer)])["edit_score"] == pytest.approx(1 - 1 / 3)


def test_steps_without_a_label_are_left_out_of_truth_and_answer():
    truth, answer = steps((0, 5), (-1, 5), (1, 5)), steps((0, 5), (2, 5), (1, 5))
    assert segments.scores([(truth, answer)])["f1_at_50"] == 1


@pytest.mark.parametrize(
    ("first", "second", "count"), [("kitten", "sitting", 3), ("", "abc", 3), ("ab", "ba", 2)]
)
def test_the_distance_is_the_least_number_of_changes(first, second, count):
    assert segments.distance(first, second) == segments.distance(second, first) == count
    assert segments.distance([*first], [*first]) == 0
