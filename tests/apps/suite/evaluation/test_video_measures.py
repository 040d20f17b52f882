import numpy as np
import pytest

from apps.suite.evaluation import video_measures

LABELS = np.array([0, 0, 1, 2, 2, 2])
PROBABILITIES = np.eye(3, dtype=np.float32)[[0, 1, 1, 2, 2, 0]] * 0.7 + 0.1


def test_accuracy_and_macro_f1_by_hand():
    found = video_measures.scores(LABELS, PROBABILITIES)
    assert found["accuracy"] == pytest.approx(4 / 6)
    # precision and recall: 1/2 and 1/2; 1/2 and 1; 1 and 2/3
    assert found["macro_f1"] == pytest.approx((1 / 2 + 2 / 3 + 4 / 5) / 3)
    assert "top_5_accuracy" not in found


def test_the_top_five_of_more_labels():
    odds = np.linspace(1, 0, 8)[None].repeat(8, axis=0)
    assert video_measures.scores(np.arange(8), odds)["top_5_accuracy"] == pytest.approx(5 / 8)


def test_cross_entropy_is_finite_for_what_was_held_impossible():
    assert video_measures.cross_entropy(np.array([1]), np.array([[0.5, 0.5]])) == pytest.approx(
        np.log(2)
    )
    assert np.isfinite(video_measures.cross_entropy(np.array([1]), np.array([[1.0, 0.0]])))


def test_rows_of_the_confusion_are_what_was_shown():
    counts = video_measures.confusion(LABELS, PROBABILITIES)
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 1, 0], [1, 0, 2]])


def test_groups_from_the_worst():
    found = video_measures.by_group(("b", "a", "a", "c", "c", "c"), LABELS, PROBABILITIES)
    assert [each.group for each in found] == ["a", "c", "b"]
    assert [each.videos for each in found] == [2, 3, 1]
    assert video_measures.by_group(None, LABELS, PROBABILITIES) == []


def test_accuracy_by_frames_seen():
    over_time = np.stack([PROBABILITIES[:, ::-1], PROBABILITIES])
    assert video_measures.by_frames_seen(LABELS, over_time)[1] == pytest.approx(4 / 6)


def test_the_interval_is_wilsons():
    low, high = video_measures.interval(0.8, 50)
    assert (low, high) == pytest.approx((0.670, 0.888), abs=1e-3)
    assert video_measures.interval(1.0, 10)[1] == 1.0
