"""Texts become the same numbers in Python, in a graph, and after saving and loading."""

import numpy as np
import pytest
import tensorflow as tf

from apps.suite import errors
from apps.suite.texts import words

TEXTS = ["Is it raining? Yes, it's über-raining", "Is it", ""]


def learned(**options):
    given = {"size": 100, "least_count": 1, "lowercase": True, "most_words": 50, **options}
    return words.learn(TEXTS, **given)


def read(vocabulary, text):
    """Words and letters of a text, as the numbers say."""
    ids, letters = vocabulary.encode(tf.constant([text]))
    names = ["", "?", *vocabulary.words]
    signs = ["", "?", *vocabulary.letters]
    spelled = ["".join(signs[at] for at in word) for word in letters[0].numpy()]
    return [names[at] for at in ids[0].numpy()], spelled


def test_words_signs_and_letters_are_found():
    vocabulary = learned()
    assert vocabulary.words == (",", "-", "?", "is", "it", "it's", "raining", "yes", "über")
    known, spelled = read(vocabulary, "IS it rainings?")
    assert known == ["is", "it", "?", "?"]
    assert spelled == ["is", "it", "rainings", "?"]
    assert vocabulary.words[int(vocabulary.encode(tf.constant(["?"]))[0][0, 0]) - 2] == "?"


def test_capitals_stay_where_they_are_wanted():
    assert "Is" in learned(lowercase=False).words
    assert read(learned(lowercase=False), "is Is")[0] == ["?", "Is"]


def test_rare_words_and_those_beyond_the_size_are_unknown():
    assert learned(least_count=2).words == ("is", "it", "raining")
    assert learned(size=1).words == ("is",)


def test_only_the_first_words_are_read():
    ids, _ = learned(most_words=2).encode(tf.constant(["is it raining", "it"]))
    np.testing.assert_array_equal(ids.numpy() > 0, [[True, True], [True, False]])


@pytest.mark.parametrize("texts", [[""], ["", "   "], []])
def test_a_text_without_a_word_is_padding(texts):
    ids, letters = learned().encode(tf.constant(texts, tf.string))
    assert ids.shape == (len(texts), 1)
    assert letters.shape == (len(texts), 1, 1)
    assert not ids.numpy().any()


def test_rows_do_not_change_each_other():
    vocabulary = learned()
    both, letters = vocabulary.encode(tf.constant(["is it", "it's raining, unseenword!"]))
    alone, own = vocabulary.encode(tf.constant(["is it"]))
    np.testing.assert_array_equal(both[0, :2], alone[0])
    assert not both[0, 2:].numpy().any()
    np.testing.assert_array_equal(letters[0, :2, :2], own[0])


def test_bytes_that_are_not_text_are_read_as_unknown():
    ids, _ = learned().encode(tf.constant([b"is \xff\xfe it"]))
    assert ids.shape[1] >= 3


def test_a_graph_saved_with_its_lists_reads_alike(tmp_path):
    vocabulary, module = learned(), tf.Module()
    module.vocabulary = vocabulary
    spec = [tf.TensorSpec([None], tf.string)]
    module.encode = tf.function(vocabulary.encode, input_signature=spec, autograph=False)
    tf.saved_model.save(module, str(tmp_path / "saved"))
    again = tf.saved_model.load(str(tmp_path / "saved"))
    for one, other in zip(
        again.encode(tf.constant(TEXTS)), vocabulary.encode(tf.constant(TEXTS)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_what_was_saved_is_loaded_and_damage_is_told(tmp_path):
    learned().save(tmp_path)
    again = words.load(tmp_path)
    assert (again.words, again.letters) == (learned().words, learned().letters)
    (tmp_path / words.SETTINGS_FILE).write_text("{")
    with pytest.raises(errors.UserError, match="train again"):
        words.load(tmp_path)


def test_words_that_are_cut_already_are_the_ones_of_a_text():
    vocabulary = learned()
    tokens = words.cut(tf.constant(TEXTS), lowercase=True).to_tensor("")
    ids, letters = vocabulary.encode_words(tokens)
    for found, expected in zip((ids, letters), vocabulary.encode(tf.constant(TEXTS)), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_cut_words_keep_their_places_their_signs_and_the_case_of_their_letters():
    sentences = [["New York", "I-Land"], ["i-land", "it's"], ["I-land"]]
    vocabulary = words.learn_words(sentences, size=10, least_count=2, lowercase=True, most_words=50)
    assert vocabulary.words == ("i-land",)
    assert set("ILand-") - {"I", "L"} <= set(vocabulary.letters)
    ids, letters = vocabulary.encode_words(
        tf.constant([["", "I-LAND", "new", ""], ["", "", "", ""]])
    )
    np.testing.assert_array_equal(ids, [[0, 2, 1, 0], [0] * 4])
    assert letters.shape == (2, 4, 6)
    capital, small = (vocabulary.encode_words(tf.constant([[word]]))[1] for word in ("I", "i"))
    assert (capital != small).numpy().all()
