from pathlib import Path

import pytest
import tensorflow as tf
import tokenizers

from apps.suite import errors
from apps.suite.texts import pieces, tokenizer

TINY_SHAKESPEARE = Path(__file__).parents[5] / "shared" / "data" / "tinyshakespeare" / "input.txt"
VERSES = (
    "In the beginning God created the heaven and the earth.\n"
    "And the earth was without form, and void; and darkness was upon the face of the deep.\n"
    "And the Spirit of God moved upon the face of the waters.\n"
)


def library_ids(known, text):
    """What the tokenizers library makes of the same vocabulary and the same words."""
    library = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(
            vocab={piece: index for index, piece in enumerate(known.vocabulary)},
            unk_token=pieces.UNKNOWN,
            continuing_subword_prefix="",
            max_input_chars_per_word=1_000_000,
        )
    )
    library.pre_tokenizer = tokenizers.pre_tokenizers.Split("\0", "removed")
    return library.encode(pieces.mark_words(tf.constant([text])).numpy()[0].decode()).ids


def test_subword_encoding_is_that_of_the_library():
    known = tokenizer.learn("subword", 120, VERSES)
    text = VERSES + "Unheard-of waterfalls, заря! beginnings" + "heaven" * 200 + " Godfather\n"
    ids = list(known.encode(text))
    assert 0 in ids
    assert ids == library_ids(known, text)


@pytest.mark.slow
@pytest.mark.skipif(not TINY_SHAKESPEARE.exists(), reason=f"needs {TINY_SHAKESPEARE}")
def test_subword_encoding_is_that_of_the_library_on_a_megabyte():
    text = TINY_SHAKESPEARE.read_text()
    known = tokenizer.learn("subword", 2000, text[:500_000])
    ids = list(known.encode(text))
    assert known.vocabulary_size == 2000
    assert ids == library_ids(known, text)
    assert known.decode(ids[:1000]) == text[: len(known.decode(ids[:1000]))]


def test_subword_vocabulary_is_the_same_each_time():
    first, second = (tokenizer.learn("subword", 150, VERSES).vocabulary for _ in range(2))
    assert first == second
    assert " the" in first


def test_subword_vocabulary_smaller_than_the_characters_is_refused():
    with pytest.raises(errors.UserError, match=r"text\.vocabulary_size 5: the text has \d+ char"):
        tokenizer.learn("subword", 5, VERSES)


def test_character_vocabulary_is_the_texts_characters_in_order():
    assert tokenizer.learn("character", 2, "cab\na").vocabulary == ("\ufffd", "\n", "a", "b", "c")


def test_word_vocabulary_is_the_most_frequent_words_and_leaves_room_for_the_unknown():
    known = tokenizer.learn("word", 100, " a a a b b once\n")
    assert known.vocabulary == ("\ufffd", " a", " b")
    assert list(known.encode(" b a once")) == [2, 1, 0]
    assert tokenizer.learn("word", 2, " a a a b b").vocabulary == ("\ufffd", " a")


def test_replacement_character_of_a_text_is_the_unknown():
    for kind in ("character", "word", "subword"):
        known = tokenizer.learn(kind, 50, "a \ufffd a \ufffd a a")
        assert known.vocabulary.count("\ufffd") == 1
        assert 0 in known.encode("a \ufffd")
