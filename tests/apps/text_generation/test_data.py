import dataclasses
import hashlib

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.texts import tokenizer
from apps.text_generation import config as configs
from apps.text_generation import data

CONFIG = configs.PRESETS["tiny"]
LINES = "".join(f"{line} green bottles standing on the wall\n" for line in range(100))


def load(path, **text):
    config = dataclasses.replace(
        CONFIG, data=str(path), text=dataclasses.replace(CONFIG.text, **text)
    )
    return data.load(config)


def written(folder, content, name="mine.txt"):
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def whole(text):
    return text.train + text.validation + text.test


def test_parts_follow_each_other_and_lose_nothing(tmp_path):
    text = load(written(tmp_path, LINES), validation_fraction=0.1, test_fraction=0.2)
    assert whole(text) == LINES
    assert len(text.test) == len(LINES) // 5
    assert len(text.validation) == len(LINES) // 10


def test_fingerprint_is_that_of_the_text_and_not_of_the_file(tmp_path):
    unix = load(written(tmp_path, LINES, "unix.txt"))
    windows = load(written(tmp_path, "\ufeff" + LINES.replace("\n", "\r\n"), "windows.txt"))
    assert whole(windows) == LINES
    assert unix.fingerprint == windows.fingerprint == hashlib.sha256(LINES.encode()).hexdigest()


def test_folder_is_joined_in_the_order_of_names_and_by_lines(tmp_path):
    written(tmp_path, LINES, "b.txt")
    written(tmp_path, "First of all", "a.txt")
    written(tmp_path, b"\0", "cover.png")
    assert whole(load(tmp_path)) == "First of all\n" + LINES


def test_folder_is_read_at_any_depth_and_in_any_case_and_says_what_is_not_read(tmp_path):
    (tmp_path / "sub" / ".git").mkdir(parents=True)
    for name, content in (("B.TXT", "second"), ("a.txt", LINES), ("sub/c.txt", "third")):
        written(tmp_path, content, name)
    for name in ("notes.md", "sub/d.docx", "sub/.git/e.txt", ".f.txt"):
        written(tmp_path, b"\0", name)
    text = load(tmp_path)
    assert whole(text) == f"second\n{LINES}third\n"
    assert [file.name for file in text.files] == ["B.TXT", "a.txt", "c.txt"]
    assert [file.name for file in text.unread] == ["notes.md", "d.docx"]
    (tmp_path / "other").mkdir()
    other = written(tmp_path / "other", LINES, "e.doc").parent
    with pytest.raises(errors.UserError, match=r"no \.txt file in this folder, only e\.doc"):
        load(other)


def test_a_text_in_utf_16_with_a_byte_order_mark_is_the_same_text(tmp_path):
    assert whole(load(written(tmp_path, ("é🛶" + LINES).encode("utf-16")))) == "é🛶" + LINES


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "mine.txt: empty"),
        (b" \n\n", "mine.txt: empty"),
        (b"\xef\xbb\xbfcaf\xe9 " + LINES.encode(), "byte 0xe9 at offset 6 is not UTF-8"),
        (b"PK\x03\x04\0\0", "NUL byte at offset 4"),
        (LINES.encode("utf-16-le"), "NUL byte at offset 1"),
        (b"Too short.", "10 characters are too short for windows of 32 tokens"),
    ],
)
def test_content_that_cannot_be_learned_is_refused_in_one_line(tmp_path, content, message):
    with pytest.raises(errors.UserError, match=message) as caught:
        load(written(tmp_path, content))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_empty_folder_are_refused(tmp_path):
    with pytest.raises(errors.UserError, match=r"absent\.txt: no such file"):
        load(tmp_path / "absent.txt")
    with pytest.raises(errors.UserError, match=r"no \.txt file in this folder"):
        load(tmp_path)


def test_text_with_too_few_words_for_a_window_is_refused(tmp_path):
    text = load(written(tmp_path, "abcdefghij" * 10 + " end" * 5))
    words = tokenizer.learn("word", 100, text.train)
    with pytest.raises(errors.UserError, match=r"mine\.txt: .* training, .* too few for windows"):
        data.encode(text, words, CONFIG)


def test_parts_are_encoded_by_a_vocabulary_of_the_training_part(tmp_path):
    text = load(written(tmp_path, LINES + "Ω" * 300))
    tokens = data.encode(text, tokenizer.learn("character", 0, text.train), CONFIG)
    assert len(tokens.train) == len(text.train)
    assert tokens.train.min() > 0
    assert set(tokens.test) == {0}


def rows(stream, steps):
    batches = list(stream.take(steps).as_numpy_iterator())
    return tuple(np.concatenate([batch[part] for batch in batches], axis=1) for part in (0, 1))


def test_rows_walk_through_the_text_as_through_a_ring():
    text = np.arange(103, dtype=np.int32)
    tokens, following = rows(data.batches(text, batch_size=4, window_tokens=10, seed=3), 25)
    assert tokens.shape == (4, 250)
    np.testing.assert_array_equal(following, (tokens + 1) % 103)
    np.testing.assert_array_equal(tokens[:, 1:], following[:, :-1])
    starts = tokens[:, 0]
    np.testing.assert_array_equal((starts - starts[0]) % 103, np.arange(4) * 103 // 4)


def test_stream_that_starts_later_continues_the_earlier_one():
    text = np.arange(1000, dtype=np.int32)
    early, _ = rows(data.batches(text, 3, 7, first_step=0, seed=1), 60)
    late, _ = rows(data.batches(text, 3, 7, first_step=50, seed=1), 10)
    np.testing.assert_array_equal(early[:, 50 * 7 :], late)


def test_seed_decides_where_the_rows_start():
    text = np.arange(1000, dtype=np.int32)
    first, second = (rows(data.batches(text, 3, 7, seed=seed), 1)[0] for seed in (0, 1))
    assert (first != second).any()


@pytest.mark.parametrize("count", [2, 11, 100, 101, 121, 1000])
@pytest.mark.parametrize("batch_size", [1, 5])
def test_evaluation_scores_every_token_but_the_first_once(count, batch_size):
    text = np.arange(count, dtype=np.int32)
    scored = []
    for tokens, following, weights in data.evaluation_batches(text, batch_size, 10):
        assert tokens.shape == following.shape == weights.shape == (batch_size, 10)
        np.testing.assert_array_equal(following, tokens + 1)
        scored.extend(following[weights > 0].numpy())
    assert sorted(scored) == list(range(1, count))


def test_evaluation_rows_are_contiguous_from_batch_to_batch():
    stream = data.evaluation_batches(np.arange(95, dtype=np.int32), 3, 8)
    tokens, weights = (
        np.concatenate([batch[part] for batch in stream.as_numpy_iterator()], axis=1)
        for part in (0, 2)
    )
    for row, weight in zip(tokens, weights, strict=True):
        read = row[weight > 0]
        np.testing.assert_array_equal(np.diff(read), 1)
        assert weight[: len(read)].all()
