import json
import time

import numpy as np
import pytest
import tensorflow as tf

from apps.suite import errors
from apps.suite.texts import pieces, tokenizer

TEXT = (
    "The raven — 'Nevermore!' it said; don't ask.\n\n\tNaïve   cafés: 42 % \\n \\ \r\n"
    "Над всей Испанией безоблачное небо. 東京 🙂 e\u0301\N{NO-BREAK SPACE}x\u2028y ##ing\n"
) * 3
"""Everything that breaks tokenizers: escapes, runs of spaces, line ends, scripts, marks, emoji."""

kinds = pytest.mark.parametrize("kind", tokenizer.KINDS)


def learned(kind, text=TEXT, vocabulary_size=300):
    return tokenizer.learn(kind, vocabulary_size, text)


@kinds
def test_known_text_comes_back_to_the_last_character(kind):
    tokens = learned(kind).encode(TEXT)
    assert tokens.dtype == np.int32
    assert tokens.min() > 0
    assert learned(kind).decode(tokens) == TEXT


@kinds
def test_batches_are_encoded_and_decoded_as_single_texts_are(kind):
    known = learned(kind)
    texts = ["", "The raven", "небо.\n", "unseen Ω words"]
    encoded = known.graph_encode(tf.constant(texts))
    for row, text in zip(encoded, texts, strict=True):
        np.testing.assert_array_equal(row, known.encode(text))
    decoded = known.graph_decode(encoded.to_tensor(), tf.cast(encoded.row_lengths(), tf.int32))
    assert [text.decode() for text in decoded.numpy()] == [
        known.decode(known.encode(text)) for text in texts
    ]


@kinds
def test_saved_vocabulary_has_a_piece_a_line_and_loads_to_the_same(kind, tmp_path):
    known = learned(kind)
    known.save(tmp_path)
    lines = (tmp_path / tokenizer.VOCABULARY_FILE).read_bytes().decode().split("\n")
    assert len(lines) == known.vocabulary_size + 1
    assert len(set(lines)) == len(lines)
    loaded = tokenizer.load(tmp_path)
    assert loaded.vocabulary == known.vocabulary
    np.testing.assert_array_equal(loaded.encode(TEXT + "Ω"), known.encode(TEXT + "Ω"))


def exported(known, folder, texts):
    """Writes a SavedModel that encodes and decodes, and returns what it gave before."""
    served = tf.Module()
    served.tokenizer = known

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def there_and_back(texts):
        encoded = known.graph_encode(texts)
        lengths = tf.cast(encoded.row_lengths(), tf.int32)
        return {
            "tokens": encoded.to_tensor(),
            "texts": known.graph_decode(encoded.to_tensor(), lengths),
        }

    tf.saved_model.save(served, folder, signatures=there_and_back)
    return there_and_back(texts)


@kinds
def test_saved_model_holds_the_vocabulary_and_agrees(kind, tmp_path):
    texts = tf.constant(["The raven\n", "Ω", "", b"\xff caf\xc3\xa9s"])
    expected = exported(learned(kind), tmp_path / "first", texts)
    moved = (tmp_path / "first").rename(tmp_path / "second")
    assert (moved / "assets" / tokenizer.VOCABULARY_FILE).is_file()
    reloaded = tf.saved_model.load(moved).signatures["serving_default"](texts)
    for name in ("tokens", "texts"):
        np.testing.assert_array_equal(reloaded[name], expected[name])


@kinds
def test_bytes_that_are_no_text_are_replaced_and_never_fail(kind):
    known = learned(kind)
    broken = tf.constant([b"a\xff\xfe", b"\xe6\x9d", b"\0", b"caf\xc3"])
    encoded = known.graph_encode(broken)
    for text in known.graph_decode(encoded.to_tensor()).numpy():
        text.decode()
    made_up = np.random.default_rng(0).integers(0, known.vocabulary_size, (20, 50))
    for text in known.graph_decode(tf.constant(made_up, tf.int32)).numpy():
        text.decode()


def test_cut_off_byte_sequence_becomes_one_replacement_character():
    known = learned("byte")
    assert known.decode(known.encode("café")[:-1]) == "caf\ufffd"


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("character", ("Ω", 9)),
        ("byte", None),
        ("word", (" Ωra", 8)),
        ("subword", (" Ωra", 8)),
    ],
)
def test_first_unknown_piece_is_named_with_its_position(kind, found):
    known = learned(kind)
    assert known.first_unknown("Над всей.") is None
    assert known.first_unknown("Над всей Ωra, Ω") == found


def test_splitting_cuts_words_symbols_and_white_space_and_loses_nothing():
    split = pieces.split_words(tf.constant(["Don't go,  he\nsaid — 42."])).to_list()[0]
    expected = ["Don't", " go", ",", " ", " he", "\n", "said", " —", " 42", "."]
    assert [piece.decode() for piece in split] == expected
    assert b"".join(pieces.split_words(tf.constant([TEXT])).to_list()[0]).decode() == TEXT


@pytest.mark.parametrize("word", ["x", "ж", "ACGT"])
def test_an_endless_word_is_cut_and_loses_nothing(word):
    text = f"a {word * 300} b {word * (pieces.LONGEST_WORD // len(word) - 1)}"
    split = [piece.decode() for piece in pieces.split_words(tf.constant([text])).to_list()[0]]
    assert "".join(split) == text
    assert max(map(len, split)) == pieces.LONGEST_WORD
    assert split[-1] == " " + word * (pieces.LONGEST_WORD // len(word) - 1)


def test_a_text_of_one_endless_line_is_learned_and_encoded_in_seconds():
    text = "".join(np.random.default_rng(0).choice([*"ACGT"], 50_000))
    began = time.monotonic()
    known = tokenizer.learn("subword", 2000, text)
    ids = known.encode(text)
    assert time.monotonic() - began < 60  # uncut it took minutes, with the square of the length
    assert known.decode(ids) == text
    assert len(ids) < len(text) / 3


@pytest.mark.parametrize("text", ["\n", "\\n", "\\\n", "\\x5c", "a\\tb\t\r", "\\\\", "nothing"])
def test_escaped_pieces_fit_on_a_line_and_come_back(text):
    line = pieces.escape_line(text)
    assert not set(line) & set("\n\r\t")
    assert pieces.unescape_line(line) == text
    assert pieces.escape(tf.constant(text)).numpy().decode() == line
    assert pieces.unescape(tf.constant(line)).numpy().decode() == text


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / tokenizer.KIND_FILE).unlink(), "not found"),
        (lambda folder: (folder / tokenizer.VOCABULARY_FILE).unlink(), "not found"),
        (lambda folder: (folder / tokenizer.KIND_FILE).write_text("{"), "damaged"),
        (lambda folder: (folder / tokenizer.KIND_FILE).write_text("[]"), "damaged"),
        (lambda folder: (folder / tokenizer.VOCABULARY_FILE).write_text("a\n"), "1 lines where"),
    ],
)
def test_damaged_tokenizer_is_refused_with_the_files_name(tmp_path, damage, message):
    learned("character").save(tmp_path)
    content = json.loads((tmp_path / tokenizer.KIND_FILE).read_text())
    assert content["kind"] == "character"
    damage(tmp_path)
    with pytest.raises(errors.UserError, match=message) as caught:
        tokenizer.load(tmp_path)
    assert str(tmp_path) in str(caught.value)
