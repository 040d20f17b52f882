"""The text that a demo page begins with is one of the test part, and of data that may be shown."""

from collections import namedtuple

import pytest

from apps.suite.data import text_examples

DATA = namedtuple("DATA", "name licence")
EMBEDDED = DATA("grammar_sentences/few", "CC0")
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
    text_examples.keep(tmp_path, EMBEDDED, texts, longest)
    assert text_examples.kept(tmp_path) == kept


@pytest.mark.parametrize(
    "data",
    [
        DATA("wmt14_translate/de-en", "see source"),
        DATA("letters.tsv", "your own"),
        DATA("docstrings", "your own"),  # a folder with the name of a set
    ],
)
def test_no_text_of_a_user_or_of_others_gets_into_an_export(tmp_path, data):
    text_examples.keep(tmp_path, data, TEXTS, 100)
    assert text_examples.kept(tmp_path) == ""
    assert not list(tmp_path.iterdir())
