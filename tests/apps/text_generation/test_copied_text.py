import numpy as np
import pytest

from apps.text_generation import continuations


def tokens(text):
    return np.array([ord(character) for character in text], np.int32)


def runs_by_hand(generated, train):
    return [
        max(n for n in range(len(generated) - i + 1) if generated[i : i + n] in train)
        for i in range(len(generated))
    ]


@pytest.mark.parametrize("seed", range(5))
def test_runs_are_those_of_a_plain_search(seed):
    generator = np.random.default_rng(seed)
    train, generated = ("".join(generator.choice(list("abc"), n)) for n in (300, 80))
    found = continuations.longest_verbatim_runs(tokens(generated), tokens(train))
    assert list(found) == runs_by_hand(generated, train)


def test_whole_copy_and_nothing_in_common():
    train = tokens("to be or not to be")
    assert list(continuations.longest_verbatim_runs(train[3:], train)) == list(range(15, 0, -1))
    assert not continuations.longest_verbatim_runs(tokens("xyz"), train).any()
    assert len(continuations.longest_verbatim_runs(tokens(""), train)) == 0


def test_copied_fraction_counts_tokens_that_lie_in_long_runs():
    train = tokens("in the beginning was the word")
    generated = tokens("XX the beginning XX was YY")
    lengths = continuations.longest_verbatim_runs(generated, train)
    assert continuations.copied_fraction(lengths, 15) == len(" the beginning ") / len(generated)
    assert continuations.copied_fraction(lengths, 5) == (15 + 5) / len(generated)
    assert continuations.copied_fraction(lengths, 16) == 0
    assert continuations.copied_fraction(np.zeros(0, int), 5) == 0
