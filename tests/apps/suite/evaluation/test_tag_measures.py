"""F1 agrees with seqscore, strict and as conlleval; unknown tags count nowhere."""

import numpy as np
import pytest
from seqscore import scoring

from apps.suite.evaluation import tag_measures

TAGS = ("O", "B-x", "I-x", "B-y", "I-y")


def drawn(seed, valid):
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(200):
        tags = list(draw.choice(TAGS, draw.integers(1, 9), p=[0.4, 0.15, 0.2, 0.1, 0.15]))
        for at, tag in enumerate(tags):
            if valid and tag[0] == "I" and (at == 0 or tags[at - 1][1:] != tag[1:]):
                tags[at] = f"B{tag[1:]}"
        found.append(tags)
    return found


@pytest.mark.parametrize(("strict", "repair"), [(True, "discard"), (False, "conlleval")])
def test_f1_is_that_of_seqscore(strict, repair):
    right = drawn(0, valid=True)
    given = [tags[: len(true)] for true, tags in zip(right, drawn(1, valid=False), strict=True)]
    given = [
        tags + ["O"] * (len(true) - len(tags)) for true, tags in zip(right, given, strict=True)
    ]
    theirs, accuracy = scoring.score_label_sequences(given, right, "BIO", repair=repair)
    ours = tag_measures.by_type(right, given, "IOB2", strict)
    assert 0 < theirs.f1 < 1
    assert tag_measures.total(ours).f1 == pytest.approx(theirs.f1)
    assert tag_measures.total(ours).precision == pytest.approx(theirs.precision)
    for kind, scores in theirs.type_scores.items():
        assert ours[kind].f1 == pytest.approx(scores.f1)
    words = [("w",) * len(tags) for tags in right]
    found = tag_measures.scores(words, right, given, "IOB2", TAGS, set())
    assert found["accuracy"] == pytest.approx(accuracy.accuracy)
    assert found["strict_f1" if strict else "conlleval_f1"] == pytest.approx(theirs.f1)


def test_words_without_a_known_tag_and_unseen_words():
    words, right = [("a", "B", "c", "d"), ("a", "new")], [("O", ",", ".", ""), (",", "")]
    given = [["O", ",", ",", ","], [",", "."]]
    found = tag_measures.scores(words, right, given, "plain", ["O", ",", "."], {"a", "b"})
    assert next(iter(found)) == tag_measures.primary("plain", ["O", ","]) == "f1"
    assert found["f1"] == pytest.approx(2 * 2 / (3 + 3))
    assert found["macro_f1"] == pytest.approx((2 * 2 / (3 + 2) + 0) / 2)
    assert found["accuracy"] == 3 / 4
    assert found["accuracy_of_seen_words"] == 1.0
    assert found["accuracy_of_unseen_words"] == 0.0
    assert found["sentence_accuracy"] == 0.5
    assert tag_measures.primary("plain", ["NOUN", "VERB"]) == "accuracy"


def test_what_became_of_spans():
    right = [["B-x", "I-x", "O", "B-y", "O", "B-x", "B-x", "I-x", "O"]]
    given = [["B-x", "O", "O", "B-x", "O", "O", "B-y", "O", "B-x"]]
    assert tag_measures.border_errors(right, given, "IOB2") == {
        "right": 0,
        "another type": 1,
        "other borders": 1,
        "other borders and type": 1,
        "missed": 1,
        "made up": 1,
    }
    assert tag_measures.confusions(right, given, "IOB2") == {
        ("x", "O"): 3, ("y", "x"): 1, ("x", "y"): 1, ("O", "x"): 1, ("x", "x"): 1, ("O", "O"): 2,
    }  # fmt: skip
