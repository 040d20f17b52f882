"""The text that a demo page begins with is one of the test part, and of data that may be shown."""

from collections import namedtuple

import pytest

from apps.suite.data import text_examples

DATA = namedtuple("DATA", "name licence")
OWN = DATA("letters.tsv", "your own")
TEXTS = ["House.", "She sees the old house by the river.", "They see a cat in there."]


@pytest.mark.parametrize(
    ("texts", "longest", "kept"),
    [
        (TEXTS, 100, TEXTS[1]),
        (TEXTS, 30, TEXTS[2]),
        (TEXTS, 10, "House."),  # words alone, as of pronunciations
        (["  ", f" {TEXTS[1]}\n"], 100, TEXTS[1]),
        (TEXTS, 3, ""),
    ],
)
def test_the_first_sentence_that_fits_is_kept(tmp_path, texts, longest, kept):
    text_examples.keep(tmp_path, OWN, texts, longest)
    assert text_examples.kept(tmp_path) == kept


def test_a_text_of_an_embedded_set_is_kept_and_none_of_another_set(tmp_path):
    text_examples.keep(tmp_path, DATA("wmt14_translate/de-en", "see source"), TEXTS, 100)
    assert text_examples.kept(tmp_path) == ""
    assert not list(tmp_path.iterdir())
    text_examples.keep(tmp_path, DATA("grammar_sentences/few", "CC0"), TEXTS, 100)
    assert text_examples.kept(tmp_path) == TEXTS[1]
