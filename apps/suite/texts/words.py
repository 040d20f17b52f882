"""Cuts texts into words and letters with numbers: one code for training and for the served graph.

ids, letters = vocabulary.encode(tf.constant(["Is it raining?"]))
ids        int32 [1, 4]: is, it, raining, ?
letters    int32 [1, 4, 7]: of each word, 0 after its end
"""

from __future__ import annotations

import collections
import json
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path

import tensorflow as tf

from apps.suite import errors
from apps.suite.runs import files

PADDING, UNKNOWN = 0, 1
_FIRST = 2  # the number of the first known word or letter
WORDS_FILE, LETTERS_FILE, SETTINGS_FILE = "words.txt", "letters.txt", "words.json"
_LONGEST_WORD = 24  # letters of a word that are read
# A sign that is neither part of a word nor space stands alone; RE2's \\w knows ASCII only
_SIGN = r"([^\pL\pM\pN_'\s])"


class Vocabulary(tf.Module):
    """Words and letters with numbers: 0 is padding, 1 the unknown, then the known ones in order.

    The words lie in a file that lookup tables read, and so in a SavedModel's assets; an exported
    object has to hold the vocabulary as an attribute.

    Args:
        words, letters: that are known.
        lowercase: reads capitals as small letters.
        most_words: words of a text that are read, its first ones.
    """

    def __init__(
        self, words: Sequence[str], letters: Sequence[str], lowercase: bool, most_words: int
    ) -> None:
        super().__init__(name="vocabulary")
        self.words, self.letters = tuple(words), tuple(letters)
        self.lowercase, self.most_words = lowercase, most_words
        folder = Path(tempfile.mkdtemp(prefix="words-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._write_lists(folder)
        self._word_ids = _table(folder / WORDS_FILE)
        self._letter_ids = _table(folder / LETTERS_FILE)

    @property
    def word_count(self) -> int:
        """Returns the number of word ids, padding and the unknown included."""
        return _FIRST + len(self.words)

    @property
    def letter_count(self) -> int:
        """Returns the number of letter ids, likewise."""
        return _FIRST + len(self.letters)

    def encode(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Cuts texts string[b] into words, in pure TensorFlow.

        Returns:
            Word ids int32 [b, words], one word at least, and letter ids int32 [b, words, letters],
            both padded with 0.
        """
        found = cut(texts, self.lowercase)[:, : self.most_words]
        ids = tf.ragged.map_flat_values(self._word_ids.lookup, found)
        letters = tf.strings.unicode_split(found.flat_values, "UTF-8", errors="replace")
        letters = tf.ragged.map_flat_values(self._letter_ids.lookup, letters[:, :_LONGEST_WORD])
        # Of a text without a word, one word of padding is left: no dimension is 0.
        width = tf.maximum(tf.cast(found.bounding_shape()[1], tf.int64), 1)
        lengths = tf.maximum(tf.cast(letters.bounding_shape()[1], tf.int64), 1)
        table = letters.to_tensor(shape=[None, None])
        table = tf.pad(table, [[0, 0], [0, lengths - tf.shape(table, tf.int64)[1]]])
        of_words = tf.RaggedTensor.from_row_splits(table, found.row_splits, validate=False)
        rows = found.nrows()
        dense = of_words.to_tensor(shape=[None, None, None])
        missing = width - tf.shape(dense, tf.int64)[1]
        dense = tf.pad(dense, [[0, 0], [0, missing], [0, 0]])
        dense = tf.reshape(dense, [rows, width, lengths])
        padded = tf.pad(ids.to_tensor(), [[0, 0], [0, missing]])
        return tf.cast(padded, tf.int32), tf.cast(dense, tf.int32)

    def save(self, folder: Path) -> None:
        """Writes the vocabulary into a folder, from which `load` reads it."""
        self._write_lists(folder)
        settings = {"lowercase": self.lowercase, "most_words": self.most_words}
        files.write_atomically(folder / SETTINGS_FILE, json.dumps(settings) + "\n")

    def _write_lists(self, folder: Path) -> None:
        for name, known in ((WORDS_FILE, self.words), (LETTERS_FILE, self.letters)):
            # A file without a line is not a table; no word is empty
            files.write_atomically(folder / name, "".join(f"{each}\n" for each in known or [" "]))


def load(folder: Path) -> Vocabulary:
    """Returns what `Vocabulary.save` wrote; UserError where a file is missing or damaged."""
    try:
        settings = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
        known, letters = (
            (folder / name).read_text(encoding="utf-8").split("\n")[:-1]
            for name in (WORDS_FILE, LETTERS_FILE)
        )
        return Vocabulary(known, letters, settings["lowercase"], settings["most_words"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.UserError(
            f"{folder / SETTINGS_FILE}: the vocabulary beside it cannot be read; train again"
        ) from error


def learn(
    texts: Iterable[str], *, size: int, least_count: int, lowercase: bool, most_words: int
) -> Vocabulary:
    """Returns the vocabulary of the texts of the train part.

    Args:
        texts: to learn from.
        size: most words; the more frequent ones are taken, of equals the first in the alphabet.
        least_count: occurrences that make a word or a letter known.
        lowercase, most_words: of the vocabulary.
    """
    counted: collections.Counter[str] = collections.Counter()
    letters: collections.Counter[str] = collections.Counter()
    block: list[str] = []

    def count() -> None:
        if block:
            flat = cut(tf.constant(block), lowercase)[:, :most_words].flat_values.numpy()
            found = collections.Counter(word.decode("utf-8", "replace") for word in flat)
            counted.update(found)
            for word, times in found.items():
                for letter in word[:_LONGEST_WORD]:
                    letters[letter] += times
            block.clear()

    for text in texts:
        block.append(text)
        if len(block) == 1024:
            count()
    count()
    known = [
        [each for each, times in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
         if times >= least_count]
        for found in (counted, letters)
    ]  # fmt: skip
    return Vocabulary(sorted(known[0][:size]), sorted(known[1]), lowercase, most_words)


def cut(texts: tf.Tensor, lowercase: bool) -> tf.RaggedTensor:
    """Returns the words of texts, string [b, (words)]; signs are words by themselves."""
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    if lowercase:
        texts = tf.strings.lower(texts, encoding="utf-8")
    return tf.strings.split(tf.strings.regex_replace(texts, _SIGN, r" \1 "))


def _table(file: Path) -> tf.lookup.StaticHashTable:
    """Returns the numbers of a file's lines, from `_FIRST` on; of anything else `UNKNOWN`."""
    line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    lines = tf.lookup.TextFileInitializer(
        str(file), tf.string, line, tf.int64, number, value_index_offset=_FIRST
    )
    return tf.lookup.StaticHashTable(lines, UNKNOWN)
