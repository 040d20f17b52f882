"""A training tells with numbers and names how it understood its data."""

from pathlib import Path

import pytest

from apps.suite.data import account


def test_headings_are_aligned_and_rows_without_a_text_left_out():
    found = account.lines([("data", "3 files"), ("not read", ""), ("labels", "2")])
    assert found == "data    3 files\nlabels  2"


def test_files_are_counted_and_the_first_ones_named():
    assert account.named([]) == ""
    assert account.named(["a"]) == "1 file: a"
    assert account.named([*"abcde"]) == "5 files: a, b, c, …"
    assert account.endings([Path("a.wav"), "b.MP3", "c.wav", "d"]) == "2 wav, 1 mp3, 1 other"


def test_labels_have_their_counts_and_many_labels_the_rarest():
    assert account.labels(["no", "yes"], ["yes", "no", "yes"]) == "2: no 1, yes 2"
    names = [f"word{number:02d}" for number in range(30)]
    of_examples = [name for number, name in enumerate(names) for _ in range(number + 1)]
    told = account.labels(names, of_examples)
    assert told == "30, the rarest word00 1, word01 2, word02 3; of the most frequent one 30"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([], ""),
        ([1.5, 1.5], "1.50 s each"),
        ([3.0, 1.5, 2.0], "1.50 to 3.00 s, median 2.00 s"),
        ([3, 1000, 7], "3 to 1,000 s, median 7 s"),
        ([1.0, 1.0], "1 s each"),
    ],
)
def test_lengths_are_told_by_their_ends_and_the_middle(values, told):
    assert account.spread(values, "s") == told
