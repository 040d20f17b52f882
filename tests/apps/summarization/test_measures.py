"""Measures and baselines, held to what they are said to be."""

import numpy as np
import pytest

from apps.summarization import baselines, measures


def rouge_by_hand(true, given, count):
    """F1 of runs of words, from the definition."""
    grams = []
    for text in (true, given):
        words = text.lower().replace(".", " ").split()
        runs = [tuple(words[at : at + count]) for at in range(len(words) - count + 1)]
        grams.append({run: runs.count(run) for run in runs})
    shared = sum(min(number, grams[1].get(run, 0)) for run, number in grams[0].items())
    sides = [sum(each.values()) for each in grams]
    return 100 * 2 * shared / sum(sides) if shared else 0.0


@pytest.mark.parametrize(
    ("true", "given"),
    [
        ("Returns the last state of a row.", "Returns the state of the row"),
        ("the the cat", "the cat the the"),
        ("one two", "three four"),
        ("one two", ""),
    ],
)
def test_rouge_is_the_f1_of_shared_runs_and_empty_summaries_count(true, given):
    found = measures.rouge([true], [given])
    for count, kind in ((1, "rouge1"), (2, "rouge2")):
        assert found[kind][0] == pytest.approx(rouge_by_hand(true, given, count))


def test_the_longest_common_subsequence_may_have_gaps():
    found = measures.rouge(["a b c d"], ["a x c d"])
    assert found["rougeL"][0] == pytest.approx(75.0)
    assert measures.rouge(["d c b a"], ["a b c d"])["rougeL"][0] == pytest.approx(25.0)


def test_stemming_counts_forms_of_a_word_as_one():
    plain = measures.rouge(["returns sums"], ["return a sum"])["rouge1"][0]
    stemmed = measures.rouge(["returns sums"], ["return a sum"], stemmed=True)["rouge1"][0]
    assert plain == 0.0
    assert stemmed == pytest.approx(80.0)


def test_repeats_and_foreign_numerals_are_found():
    assert measures.repeats("the last row and the last row")
    assert not measures.repeats("the last row and the last one")
    assert measures.foreign_numerals("it has 3 rows, 2.5 m", "3 rows of 25 m") == {"2.5"}
    found = measures.scores(["a b"], ["a 7 c"], ["a b c"])
    assert found["foreign_numerals"] == 1.0
    assert found["words_of_the_text"] == pytest.approx(2 / 3)


TEXT = "Cats sleep all day. Cats and dogs sleep in one room. Rain falls. Dogs sleep in a room."


def test_baselines_take_what_they_say():
    assert baselines.first_words(TEXT, 3) == "Cats sleep all"
    assert baselines.first_sentences([TEXT, ""]) == ["Cats sleep all day.", ""]
    assert baselines.text_rank(TEXT) == "Cats and dogs sleep in one room."
    assert baselines.text_rank("") == ""
    assert baselines.best_sentences([TEXT], ["it rains, rain falls"]) == ["Rain falls."]
    assert baselines.best_length([TEXT] * 3, ["Cats sleep all day"] * 3) == 4


def test_the_best_sentence_is_at_least_as_good_as_the_first():
    draw = np.random.default_rng(0)
    words = ["row", "state", "sum", "last", "first", "of", "the"]
    texts = [" ".join(" ".join(draw.choice(words, 5)) + "." for _ in range(4)) for _ in range(10)]
    true = [" ".join(draw.choice(words, 4)) for _ in range(10)]
    best = measures.rouge(true, baselines.best_sentences(texts, true))["rouge1"]
    first = measures.rouge(true, baselines.first_sentences(texts))["rouge1"]
    assert (best >= first).all()
    assert best.mean() > first.mean()
