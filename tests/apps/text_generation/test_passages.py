"""Nats of tokens, shared out over the text that they stand for."""

import numpy as np
import pytest

from apps.text_generation import report

LINES = "".join(f"{number} and some words of a line.\n" for number in range(60))


def characters_of(text):
    return np.ones(len(text), np.int32)


def test_the_nats_of_a_token_are_spread_over_its_characters():
    spread = report.per_character(np.array([6.0, 1.0]), np.array([2, 3, 1]))
    assert spread.tolist() == [0, 0, 2, 2, 2, 1]


def test_what_continues_a_character_goes_to_it():
    spread = report.per_character(np.array([1.0, 2.0, 4.0, 8.0]), np.array([1, 1, 0, 0, 1]))
    assert spread.tolist() == [0, 7, 8]


def test_no_nat_is_lost():
    nats = np.random.default_rng(0).uniform(0, 5, 99)
    counts = np.random.default_rng(1).integers(0, 4, 100)
    counts[0] = 1
    assert report.per_character(nats, counts).sum() == pytest.approx(nats.sum())


def test_passages_follow_each_other_from_line_to_line():
    spread = np.arange(len(LINES), dtype=float)
    cut = report.cut_passages(LINES, spread, characters_of(LINES), length_characters=100)
    assert cut[0].start == 1, "nobody predicts the first token"
    for passage, following in zip(cut, [*cut[1:], None], strict=True):
        assert passage.text == LINES[passage.start : passage.end]
        assert passage.text.endswith("\n")
        assert 50 <= len(passage.text) <= 150
        assert passage.nats_per_character == pytest.approx((passage.start + passage.end - 1) / 2)
        assert following is None or following.start == passage.end
    assert len(LINES) - cut[-1].end < 100


def test_tokens_of_several_characters_stay_whole():
    text = "abcdef " * 40
    counts = np.full(40, 7)
    spread = report.per_character(np.arange(1.0, 40), counts)
    cut = report.cut_passages(text, spread, counts, length_characters=70)
    assert {part for passage in cut for part, _ in passage.parts} == {"abcdef "}
    assert cut[0].parts[0] == ("abcdef ", pytest.approx(1 / 7))


def test_a_text_without_a_space_is_cut_as_well():
    text = "x" * 1000
    cut = report.cut_passages(text, np.zeros(1000), characters_of(text), length_characters=100)
    assert sum(len(passage.text) for passage in cut) > 800


@pytest.mark.parametrize("length", [0, 1, 50])
def test_a_text_shorter_than_a_passage_has_none(length):
    text = "x" * max(1, length)
    assert report.cut_passages(text, np.zeros(len(text)), characters_of(text), 100) == []


def test_the_easiest_and_the_hardest_have_none_in_common():
    values = [3.0, 1.0, 2.0, 5.0, 4.0]
    found = [report.Passage(at, [("x", v)], v) for at, v in enumerate(values)]
    easy, hard = report.easiest_and_hardest(found, 2)
    assert [passage.nats_per_character for passage in easy] == [1, 2]
    assert [passage.nats_per_character for passage in hard] == [5, 4]
    easy, hard = report.easiest_and_hardest(found[:3], 2)
    assert [passage.nats_per_character for passage in easy + hard] == [1, 3]
    assert report.easiest_and_hardest(found[:1], 2) == ([], [])


def test_means_by_the_place_in_a_word():
    text = "Ab c,\nabcdefgh"
    spread = np.arange(len(text), dtype=float)
    found = report.by_place(text, spread)
    assert found == {
        "1st letter": pytest.approx((0 + 3 + 6) / 3),
        "2nd": pytest.approx((1 + 7) / 2),
        "3rd": 8,
        "4th": 9,
        "5th": 10,
        "6th and on": pytest.approx((11 + 12 + 13) / 3),
        "space": 2,
        "line end": 5,
        "other mark": 4,
    }
    assert list(found) == list(report.PLACES)
