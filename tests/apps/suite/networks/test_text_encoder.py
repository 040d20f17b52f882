"""Texts are encoded without regard to padding; training hides words, and letters tell them."""

import keras
import numpy as np
import pytest

from apps.suite.networks import text_encoder
from apps.suite.networks.config import EncoderConfig
from apps.suite.texts.config import BagTextConfig

WORDS = np.array([[3, 4, 1, 0], [2, 0, 0, 0]], np.int32)
LETTERS = np.array(
    [[[2, 3, 0], [4, 0, 0], [5, 5, 5], [0, 0, 0]], [[3, 4, 0], [0, 0, 0]] + [[0, 0, 0]] * 2],
    np.int32,
)


LAYERS = ["convolution", "lstm"]


def model_of(character_units=4, layer="convolution"):
    keras.utils.set_random_seed(0)
    words = keras.Input((None,), dtype="int32", name="words")
    letters = keras.Input((None, None), dtype="int32", name="letters")
    text = BagTextConfig(
        word_units=6, character_units=character_units, character_layer=layer, word_dropout=0.5
    )
    vectors = text_encoder.encode(
        words, letters, text, EncoderConfig(units=5), word_count=6, letter_count=7
    )
    return keras.Model({"words": words, "letters": letters}, vectors)


@pytest.mark.parametrize("layer", LAYERS)
def test_padding_of_words_and_letters_changes_nothing(layer):
    model = model_of(layer=layer)
    expected = model({"words": WORDS, "letters": LETTERS})
    wide = {
        "words": np.pad(WORDS, ((0, 0), (0, 3))),
        "letters": np.pad(LETTERS, ((0, 0), (0, 3), (0, 2))),
    }
    np.testing.assert_allclose(model(wide), expected, atol=1e-6)
    alone = {"words": WORDS[1:, :1], "letters": LETTERS[1:, :1, :2]}
    np.testing.assert_allclose(model(alone), expected[1:], atol=1e-6)


def test_letters_tell_unknown_words_apart():
    others = LETTERS.copy()
    others[0, 2] = [6, 6, 2]
    for units, layer, differs in ((4, "convolution", True), (4, "lstm", True), (0, "lstm", False)):
        model = model_of(units, layer)
        one, other = (model({"words": WORDS, "letters": each}) for each in (LETTERS, others))
        assert np.allclose(one[0], other[0]) != differs


def test_words_are_hidden_in_training_alone_and_padding_stays():
    hide = text_encoder.WordDropout(0.5, seed=1)
    words = np.tile(np.int32([5, 5, 5, 0]), (500, 1))
    np.testing.assert_array_equal(hide(words), words)
    hidden = np.asarray(hide(words, training=True))
    assert set(np.unique(hidden[:, :3])) == {1, 5}
    assert 0.4 < np.mean(hidden[:, :3] == 1) < 0.6
    assert not hidden[:, 3].any()


def test_an_lstm_tells_the_order_of_letters_apart_and_has_half_its_units_each_way():
    turned = LETTERS.copy()
    turned[0, 0] = [3, 2, 0]
    one, other = (model_of(layer="lstm")({"words": WORDS, "letters": x}) for x in (LETTERS, turned))
    assert not np.allclose(one[0], other[0])
    with pytest.raises(ValueError, match="character_filters must be even"):
        BagTextConfig(character_layer="lstm", character_filters=5)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_text_without_a_word_is_encoded_as_zeros(layer):
    nothing = {"words": np.zeros((1, 1), np.int32), "letters": np.zeros((1, 1, 1), np.int32)}
    np.testing.assert_array_equal(model_of(layer=layer)(nothing), 0)


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_the_file_answers_alike(tmp_path, layer):
    model = model_of(layer=layer)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    given = {"words": WORDS, "letters": LETTERS}
    np.testing.assert_allclose(again(given), model(given), atol=1e-6)


def pieces(word, count):
    """Returns the pieces of a word, 0 for the places before and after it."""
    spelled = (0, *word, 0)
    return [spelled[at : at + count] for at in range(len(spelled) - count + 1)]


def test_a_bag_counts_words_pairs_and_pieces_of_words():
    size, ids, words = 262_139, [3, 4, 1], [[2, 3], [4], [5, 5, 5]]
    bag = text_encoder.BagOfPieces(size, 1)
    bag.build(None)
    expected = [(1, each) for each in ([3], [4])] + [(2, [3, 4])]  # 1 is the unknown word
    expected += [(n + 1, each) for word in words for n in (2, 3, 4, 5) for each in pieces(word, n)]
    table = np.random.default_rng(0).normal(size=(size, 1)).astype(np.float32)
    bag.vectors.assign(table)
    total = 0.0
    for start, numbers in expected:
        place = start
        for number in numbers:
            place = (place * 7_919 + number) % 262_139
        total += table[place, 0]
    found = np.asarray(bag(np.int32([[*ids, 0]]), LETTERS[:1]))[0, 0]
    np.testing.assert_allclose(found, total / np.sqrt(len(expected)), rtol=1e-4)


def test_a_bag_does_not_feel_padding_and_leaves_out_in_training_alone():
    bag = text_encoder.BagOfPieces(50, 3, dropout=0.5, seed=1)
    bag.build(None)
    bag.vectors.assign(np.random.default_rng(0).normal(size=(50, 3)))
    expected = bag(WORDS, LETTERS)
    wide = bag(np.pad(WORDS, ((0, 0), (0, 3))), np.pad(LETTERS, ((0, 0), (0, 3), (0, 2))))
    np.testing.assert_allclose(wide, expected, atol=1e-5)
    many, letters = (np.repeat(each, 2_000, axis=0) for each in (WORDS, LETTERS))
    drawn = np.asarray(bag(many, letters, training=True))
    assert np.abs(drawn[0] - drawn[2]).max() > 0.01
    np.testing.assert_allclose(drawn[:2_000].mean(axis=0), expected[0], atol=0.1)
    empty = bag(np.zeros((1, 1), np.int32), np.zeros((1, 1, 1), np.int32))
    assert not np.asarray(empty).any()
