"""Subwords lose nothing, read the same in a graph and alone, and come back from their files."""

import unicodedata

import pytest
import tensorflow as tf

from apps.suite import errors
from apps.suite.texts import normal_form, subwords

TEXTS = ["the cat sees the other cat", "The dog, too!", "the dogs' other names"] * 3


@pytest.fixture(scope="module")
def learned():
    return subwords.learn(TEXTS, 40)


@pytest.fixture(scope="module")
def form():
    return normal_form.NormalForm()


@pytest.mark.parametrize(
    "text", ["", "the cat", "The Größe 🛶 of it", "x" * 200, "a\\n b", "Zoë, ‽ and 日本語?", "  "]
)
def test_what_is_encoded_comes_back_in_its_normal_form(learned, text):
    normal = learned.normalised(tf.constant([text]))
    ids = learned.encode(normal)
    assert int(tf.reduce_min(ids.to_tensor(999))) > subwords.END
    assert learned.decode(ids.to_tensor()).numpy()[0].decode() == normal.numpy()[0].decode()


def test_frequent_words_are_one_piece_and_what_is_unknown_is_bytes(learned):
    ids = learned.encode(tf.constant(["the cat ß"])).to_list()[0]
    assert all(each >= subwords.FIRST for each in ids[:2])
    assert [each - 3 for each in ids[-3:]] == list(" ß".encode())
    assert learned.size <= subwords.FIRST + 40
    pieces = learned.strings(tf.constant([[*ids[:2], subwords.END, 0]])).numpy()[0].tolist()
    assert pieces == [b" the", b" cat", b"", b""]


def test_a_row_is_encoded_alike_alone_and_among_others(learned):
    texts = tf.constant(["the cat", "", "ß and other cats"])
    whole = learned.encode(texts).to_list()
    assert whole == [learned.encode(texts[at : at + 1]).to_list()[0] for at in range(3)]
    assert learned.encode(texts[:0]).nrows() == 0


def test_characters_are_pieces_of_one_letter():
    letters = subwords.learn(["abba", "abc", "c"], 40, "character")
    assert letters.known == (" ", "a", "b", "c")
    assert len(letters.encode(tf.constant(["cab"]))[0]) == 4


def test_it_comes_back_from_its_files_and_damage_is_named(learned, tmp_path):
    learned.save(tmp_path / "pieces")
    again = subwords.load(tmp_path / "pieces")
    assert again.known == learned.known
    file = tmp_path / "pieces" / subwords.PIECES_FILE
    file.write_text(file.read_text() + "more\n")
    with pytest.raises(errors.UserError, match=r"pieces\.txt"):
        subwords.load(tmp_path / "pieces")
    with pytest.raises(errors.UserError, match="train again"):
        subwords.load(tmp_path / "none")


def test_nothing_to_learn_from_still_writes_every_text():
    empty = subwords.learn([], 40)
    text = tf.constant(["any text"])
    assert empty.decode(empty.encode(text).to_tensor()).numpy()[0] == b"any text"


def test_the_normal_form_of_letters_is_nfc(form):
    points = [*range(0xC0, 0x2000), 0x212B, 0x2126, *range(0xAC00, 0xAC40)]
    texts = [chr(each) for each in points if chr(each).isalpha()]
    # Letters that NFC writes as two stay one
    texts = [text for text in texts if len(unicodedata.normalize("NFC", text)) == 1]
    split = [unicodedata.normalize("NFD", text) for text in texts]
    wanted = [unicodedata.normalize("NFC", text) for text in texts]
    for given in (texts, split):
        found = [text.decode() for text in form(tf.constant(given)).numpy()]
        assert not [
            (one, other)
            for one, other in zip(found, wanted, strict=True)
            if one != other and not set(other) & set("\u02bc")
        ]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("l’été d\u02bcici", "l'été d'ici"),
        ("e\u0301\u0301", "é\u0301"),
        ("\u1ec7 e\u0323\u0302", "\u1ec7 \u1ec7"),
        ("Quoi\u202f? \u00abOui\u00a0\u00bb\t\n non ", "Quoi ? «Oui » non"),
        ("\ufeffsoft\u00adly\u200b", "softly"),
        ("\u0301", "\u0301"),
        ("", ""),
    ],
)
def test_the_normal_form_is_one_form(form, given, wanted):
    once = form(tf.constant([given, "next"]))
    assert once.numpy()[0].decode() == wanted
    assert form(once).numpy().tolist() == [wanted.encode(), b"next"]


def test_bytes_that_are_not_text_become_a_sign(form):
    assert form(tf.constant([b"a\xff b"])).numpy()[0].decode() == "a\ufffd b"
