"""What is shown as written by the model, and what is counted as copied."""

import keras
import numpy as np
import pytest

from apps.suite.texts import tokenizer
from apps.text_generation import config as configs
from apps.text_generation import continuations, data, model

TRAIN = "the quick brown fox jumps over the lazy dog and runs away from it\n" * 20
TEST = "another line of words that were not there before, with a fox in it\n" * 30


def a_text(test=TEST):
    return data.Text("mine", "your own", "here", "f00d", train=TRAIN, validation="x", test=test)


def drawn(kind="character", test=TEST, seed=0):
    keras.utils.set_random_seed(0)
    learned = tokenizer.learn(kind, 100, TRAIN + TEST)
    sizes = configs.ModelConfig(layer_count=1, units=4, embedding_units=4)
    streaming = model.build_streaming(configs.Config(model=sizes), learned.vocabulary_size)
    train = learned.encode(TRAIN)
    per_token = len(test) / len(learned.encode(test))
    return continuations.draw(streaming, learned, a_text(test), train, per_token, seed)


def test_each_place_is_continued_at_each_temperature_and_as_it_is():
    found, copied = drawn()
    kinds = [*continuations.TEMPERATURES, None]
    assert [each.temperature for each in found] == kinds * 4
    assert [each.temperature for each in copied] == kinds
    for each in found:
        assert each.prompt in TEST
        assert each.text
        if each.temperature is None:
            assert each.prompt + each.text in TEST
    assert all(each.prompt.startswith("another line") for each in found)


def test_the_seed_decides_what_is_written():
    one, same, other = drawn(), drawn(), drawn(seed=1)
    assert one == same
    assert [each.text for each in one[0]] != [each.text for each in other[0]]


@pytest.mark.parametrize("kind", ["word", "byte"])
def test_other_tokens_give_texts_of_a_like_length(kind):
    found, _ = drawn(kind)
    real = [len(each.text) for each in found if each.temperature is None]
    assert 700 < max(real) < 1300


@pytest.mark.parametrize("test", ["ab", "another line", "\n\n\n\n"])
def test_a_short_text_is_enough(test):
    found, copied = drawn(test=test)
    assert len(found) == 16
    assert all(each.prompt and each.prompt in test for each in found)
    assert all(0 <= share <= 1 for each in copied for share in each.fractions.values())


def test_a_copy_is_found_and_does_not_reach_into_the_next_text():
    train = np.arange(1, 200)
    copy, new = np.arange(50, 100), np.array([199, 5, 3, 1])
    tokens = [copy, new, new, new, np.arange(100, 140), new, new, copy[:10]]
    kinds = [*continuations.TEMPERATURES, None] * 2
    found = continuations._copied(tokens, kinds, train, characters_per_token=1.0)
    assert [each.longest_run_tokens for each in found] == [50, 1, 1, 10]
    assert found[0].fractions == {30: pytest.approx(1.0), 60: 0.0}
    assert found[1].fractions == {30: 0.0, 60: 0.0}


def test_the_runs_are_as_long_for_every_tokenizer():
    found = continuations._copied([np.array([1])] * 4, [0.5, 0.8, 1.0, None], np.array([1]), 6.0)
    assert list(found[0].fractions) == [5, 10]


def test_the_first_prompt_suits_the_text():
    assert continuations.sample_prompt(a_text()) == "line of words"
    assert continuations.sample_prompt(a_text("ab")) == "ab"
    table = "same | | 12 |\n| 4 | five six |\nand here are words | 7 |\n"
    assert continuations.sample_prompt(a_text(table)) == "and here are"
    assert continuations.sample_prompt(a_text("ACGT" * 999)) == "ACGT" * 5


def test_the_first_prompt_is_in_the_vocabulary():
    text = a_text("ωω αα ββ\nγγ the lazy dog! ββ")
    known = tokenizer.learn("word", 100, TRAIN)
    prompt = continuations.sample_prompt(text, lambda words: not known.first_unknown(words))
    assert prompt == "the"  # it begins lines; "lazy" follows a space wherever it was learned
    prompt = continuations.sample_prompt(
        a_text("ωω αα"), lambda words: not known.first_unknown(words)
    )
    assert prompt == TRAIN[:20]
