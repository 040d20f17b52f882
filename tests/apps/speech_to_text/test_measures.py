"""Rates of wrong words are counted over all texts together, and errors by what they are."""

import numpy as np
import pytest

from apps.speech_to_text import baselines, measures, scoring
from apps.suite.sounds.feature_cache import FeatureSet

TRUTH = ["set the light in here", "call anna", "stop"]
HEARD = ["set light in here now", "call anna", ""]


def test_rates_are_of_all_words_together_and_not_means_of_texts():
    found = measures.scores(TRUTH, HEARD)
    # "the" left out and "now" inserted, "stop" left out: 3 of 8 words
    assert found["word_error_rate"] == pytest.approx(3 / 8)
    assert found["deletions"] == pytest.approx(2 / 8)
    assert found["insertions"] == pytest.approx(1 / 8)
    assert found["substitutions"] == 0.0
    assert found["whole_texts"] == pytest.approx(1 / 3)
    assert measures.errors_of(TRUTH, HEARD) == [2, 0, 1]


def test_groups_and_wrong_words():
    groups = measures.by_group(TRUTH, ["set a light in here", "call anna", "stop"], ["a", "b", "a"])
    assert [(each.name, each.texts) for each in groups] == [("a", 2), ("b", 1)]
    assert groups[0].word_error_rate == pytest.approx(1 / 6)
    (worst, *others) = measures.wrong_words(["a b", "a c", "b"], ["x b", "x c", ""], 5)
    assert worst == measures.WrongWord("a", 2, 2, "x")
    assert others == [measures.WrongWord("b", 1, 2, "")]


def test_letters_by_which_texts_differ_even_if_one_is_empty():
    assert measures.edits("abc", "axcd") == 2
    assert measures.edits("", "ab") == 2
    assert measures.edits("", "") == 0


def test_the_weights_are_those_with_the_fewest_wrong_words_and_the_smallest_of_equals():
    found = scoring.Answers(
        greedy=["call", "x"],
        texts=[["cal anna", "call anna"], ["stop", "stops"]],
        acoustic=np.array([[-1.0, -1.2], [-1.0, -3.0]]),
        language=np.array([[-9.0, -8.0], [-5.0, -5.5]]),
        words=np.array([[2.0, 2.0], [1.0, 1.0]]),
        is_finite=True,
    )
    assert scoring.chosen_weights(found, ["call anna", "stop"]) == (0.35, 0.0)
    assert found.chosen(0.35, 0.0) == ["call anna", "stop"]
    assert found.chosen(0.0, 0.0) == found.beam == ["cal anna", "stop"]
    assert scoring.chosen_weights(found, ["cal anna", "stop"]) == (0.0, 0.0)


def test_warping_finds_the_same_sound_at_another_pace():
    draw = np.random.default_rng(0)
    sounds = [draw.normal(size=(count, 6)) for count in (9, 14, 12)]
    slow = [np.repeat(sound, 3, axis=0)[: 2 * len(sound)] for sound in sounds]
    padded = np.zeros((3, 40, 6))
    for row, sound in enumerate(sounds):
        padded[row, : len(sound)] = sound
    lengths = np.array([len(sound) for sound in sounds])
    for row, sound in enumerate(slow):
        far = baselines._warped(sound.astype("f"), padded.astype("f"), lengths)
        assert far.argmin() == row
    alone = baselines._warped(sounds[1].astype("f"), padded[1:2, :14].astype("f"), lengths[1:2])
    np.testing.assert_allclose(alone, [0.0], atol=1e-3)


def test_the_nearest_recording_gives_the_text_of_itself():
    from apps.speech_to_text import data

    draw = np.random.default_rng(0)
    frames = [draw.normal(-30, 9, (count, 16)).astype("f") for count in (40, 56, 64)]
    starts = np.cumsum([0, *map(len, frames)])
    numbers = np.arange(3, dtype="int32")
    held = FeatureSet(np.concatenate(frames), starts, numbers * 0, numbers)
    examples = data.Examples(held, np.zeros(3, "int32"), np.arange(4), numbers * 0)
    found = baselines.nearest(examples, ["a", "b", "c"], examples, 3, 0)
    assert found == ["a", "b", "c"]
