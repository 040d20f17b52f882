"""Labels are numbered as a person lists them, weighed, and refused with a way out."""

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.evaluation import class_baselines
from apps.suite.sequence_files import example_files, own_files
from apps.suite.sequences import labels, ragged, sequence_statistics


def made(lengths, **more):
    arrays = [np.full((steps, 2), steps, np.float32) for steps in lengths]
    return ragged.of_arrays(arrays, [f"s{at}" for at in range(len(arrays))], ["a", "b"])


def test_numbers_in_labels_count():
    assert labels.order({"x10", "x9", "b"}) == ("b", "x9", "x10")
    assert labels.order({"10", "9", "2"}) == ("2", "9", "10")


def test_labels_of_parts_are_numbered_anew_by_those_of_train():
    parts = {"train": np.array([0, 3, -1]), "validation": np.array([3]), "test": np.array([0, 0])}
    names, found = labels.known(("a", "b", "c", "d"), parts, "here")
    assert names == ("a", "d")
    assert [each.tolist() for each in found.values()] == [[0, 1, -1], [1], [0, 0]]
    with pytest.raises(errors.UserError, match="'b' is in test"):
        labels.known(("a", "b", "c", "d"), {**parts, "test": np.array([1])}, "here")


def test_rare_labels_weigh_as_much_as_frequent_ones():
    given = np.array([0, 0, 0, 1, -1])
    rows = labels.one_hot(given, 2, balanced=True)
    weights = rows.sum(axis=1)[given]
    assert weights[:3].sum() == pytest.approx(weights[3])
    assert weights.sum() == pytest.approx(4)
    assert not rows[-1].any()


def test_steps_belong_to_the_window_whose_middle_is_nearest_in_their_sequence():
    sequences = made([6, 4])
    found = sequence_statistics.nearest_window(sequences, np.array([1, 4, 7]))
    assert found.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]


def test_sizes_share_the_sequences_and_their_scores():
    sequences = made([2, 3, 8, 9])
    found = sequence_statistics.by_size(sequences, np.array([1.0, 0, 1, 1]), bins=2)
    assert [(count, score) for _, count, score in found] == [(2, 0.5), (2, 1.0)]
    assert sequence_statistics.nearest(sequences, made([8])) == 2


def test_a_label_that_was_never_seen_is_never_said():
    learned, kinds = np.array([[0.0], [0.1], [1.0], [1.1]]), np.array([0, 0, 2, 2])
    models = class_baselines.logistic_regressions(
        learned, kinds, 3, (0.01, 100.0), most_iterations=100
    )
    found = class_baselines.best(models, kinds, learned)(learned)
    assert found.argmax(axis=1).tolist() == kinds.tolist()
    assert found.max(axis=1).min() > 0.7  # of the weaker regularisation
    assert not found[:, 1].any()


def test_an_example_file_is_read_as_what_was_written(tmp_path):
    values = np.array([[1.5, np.nan], [2, 3]], np.float32)
    given = ragged.of_arrays([values, values + 1], ['walk, "slow"', "b"], ["x", "y,z"])
    file = example_files.write(given, tmp_path / "example.csv")
    found = own_files.asked(tmp_path / "example.csv", ["x", "y,z"])
    assert file == str(tmp_path / "example.csv")
    assert found.names == given.names
    np.testing.assert_array_equal(found.values, given.values)
