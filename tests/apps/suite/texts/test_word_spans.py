"""Texts are cut into words with the places of their characters, whatever bytes they hold."""

import pytest
import tensorflow as tf

from apps.suite.texts import word_spans

TEXT = "  fly\tto new  york (é!), O'Hara’s  "


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [
        ("space", ["fly", "to", "new", "york", "(é!),", "O'Hara’s"]),
        ("signs", ["fly", "to", "new", "york", "(", "é", "!", ")", ",", "O'Hara’s"]),
    ],
)
def test_words_are_cut_with_the_places_of_their_characters(tokenizer, words):
    found, starts, ends = word_spans.cut_one(TEXT, tokenizer)
    assert found == words
    assert [TEXT[start:end] for start, end in zip(starts, ends, strict=True)] == words
    whole = word_spans.cut(tf.constant(["", TEXT, " \n "]), tokenizer)
    assert (whole.words[1].numpy() != b"").sum() == len(words)
    assert word_spans.cut(tf.constant([""]), tokenizer).words.shape == (1, 0)


def test_bytes_that_are_not_utf_8_do_not_shift_places():
    cut = word_spans.cut(tf.constant([b"a\xff b\0c"]), "space")
    assert cut.ends.numpy().tolist() == [[2, 6]]
    assert cut.text.numpy()[0].decode() == "a\ufffd b\ufffdc"
