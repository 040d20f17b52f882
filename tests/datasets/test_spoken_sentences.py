"""Sentences, pairs of words and voices of a part are of that part alone; sounds hold their text."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from apps.suite.data import named_sets

FOLDER = Path(__file__).resolve().parents[2] / "datasets/spoken_sentences"
PARTS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def grammar():
    spec = importlib.util.spec_from_file_location("sentences_grammar", FOLDER / "grammar.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))
        builder = named_sets.prepare("spoken_sentences/small")
    return {
        part: list(builder.as_dataset(split=part, shuffle_files=False).as_numpy_iterator())
        for part in PARTS
    }


def values(examples, field):
    return {example[field].decode() for example in examples}


def test_no_sentence_and_no_voice_is_in_two_parts(examples):
    assert [len(examples[part]) for part in PARTS] == [120, 20, 20]
    for field, counts in (("text", (120, 20, 20)), ("voice", (4, 4, 4))):
        found = [values(examples[part], field) for part in PARTS]
        assert tuple(map(len, found)) == counts
        assert len(set.union(*found)) == sum(counts)


def test_a_recording_holds_its_sentence_and_quiet_around_it(examples):
    for example in examples["test"]:
        sound = example["audio"].astype(np.float32) / 32768
        assert 1.0 < len(sound) / 16_000 < 6.0
        assert 0.05 < np.abs(sound).max() <= 1.0
        assert 5.0 <= example["snr_db"] <= 40.0
        letters_a_second = len(example["text"]) / (len(sound) / 16_000)
        assert letters_a_second < 22
    longest = max(examples["train"], key=lambda example: len(example["audio"]))
    shortest = min(examples["train"], key=lambda example: len(example["audio"]))
    assert len(longest["text"]) > len(shortest["text"])


def test_pairs_of_words_are_held_out_and_every_word_is_learned(grammar):
    random = np.random.default_rng(0)
    pairs, words = {part: set() for part in PARTS}, {part: set() for part in PARTS}
    for _ in range(20_000):
        text, pair = grammar.sentence(random)
        part = grammar.part_of(pair)
        pairs[part].add(pair)
        words[part].update(text.split())
        assert all(word in text for word in " ".join(pair).split())
        assert text == " ".join(text.lower().split())
    assert not pairs["train"] & (pairs["test"] | pairs["validation"])
    assert not pairs["test"] & pairs["validation"]
    assert words["test"] | words["validation"] <= words["train"]
    assert 190 < len(words["train"]) < 230
    shares = [len(pairs[part]) for part in PARTS]
    assert 0.05 < shares[2] / sum(shares) < 0.2


def test_numbers_and_times_are_words(grammar):
    class First:
        """Draws the highest number, and the first of several."""

        def integers(self, lowest, highest):
            return highest - 1

        def choice(self, several):
            return several[0]

    assert grammar.number(First(), 1, 9) == "nine"
    assert grammar.number(First(), 1, 30) == "thirty"
    assert grammar.number(First(), 1, 42) == "forty two"
    assert grammar.clock(First()) == "half past one"
