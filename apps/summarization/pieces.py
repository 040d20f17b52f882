"""Writes texts as numbers of pieces of words, and reads them back, by operations of the export.

ids            0 padding, 1 the end, 2 the start, 3 a piece that no training text holds, then the
               pieces that `suite.texts.tokenizer` has learned from the training texts
" to sum up"   every word has a space before it, the first one too: it is the same piece wherever
               it stands, so that a summary can copy it
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from apps.suite.texts import tokenizer

END, START, UNKNOWN = 1, 2, 3
FORBIDDEN = (0, START, UNKNOWN)  # what no summary is written with
_SHIFT = UNKNOWN  # number of the tokenizer's unknown, its 0


class Cut(NamedTuple):
    """Texts in pieces.

    Attributes:
        ids: int32 (batch, time), 0 after the end; one column at least.
        lengths: int32 (batch,), pieces before texts were cut to the longest length.
    """

    ids: tf.Tensor
    lengths: tf.Tensor


class Pieces(tf.Module):
    """A vocabulary of pieces; an exported object has to hold it as an attribute.

    Args:
        learned: what `learn` has learned.
    """

    def __init__(self, learned: tokenizer.Tokenizer) -> None:
        super().__init__(name="pieces")
        self.tokenizer = learned
        starts = [False] * _SHIFT + [piece.startswith(" ") for piece in learned.vocabulary]
        starts[UNKNOWN] = True  # as most of what no training text holds does
        # Of each id, whether it begins a word
        self.begins_word = np.array(starts)

    @property
    def size(self) -> int:
        """Returns the number of ids."""
        return _SHIFT + self.tokenizer.vocabulary_size

    def cut(self, texts: tf.Tensor, most: int) -> Cut:
        """Cuts string[b]; of a text of more than `most` pieces the first ones are kept."""
        ids = self.tokenizer.graph_encode(spaced(texts)) + _SHIFT
        lengths = ids.row_lengths()
        dense = ids[:, :most].to_tensor()
        missing = tf.cast(tf.shape(dense)[1] == 0, tf.int32)
        return Cut(tf.pad(dense, [[0, 0], [0, missing]]), tf.cast(lengths, tf.int32))

    def join(self, ids: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Returns the texts string[b] of ids (b, time) without start and end."""
        plain = tf.maximum(ids - _SHIFT, 0)
        return tf.strings.strip(self.tokenizer.graph_decode(plain, lengths))

    def written(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns ids (b, t) as strings with the spaces before them; "" for padding."""
        shape = tf.shape(ids)
        flat = tf.reshape(tf.maximum(ids - _SHIFT, 0), [-1, 1])
        found = tf.reshape(self.tokenizer.graph_decode(flat), shape)
        return tf.where(ids > UNKNOWN, found, "")

    def save(self, folder: Path) -> None:
        """Writes the vocabulary into a folder, from which `load` reads it."""
        self.tokenizer.save(folder)


def load(folder: Path) -> Pieces:
    """Returns what `Pieces.save` wrote; UserError where a file is missing or damaged."""
    return Pieces(tokenizer.load(folder))


def learn(texts: Iterable[str], vocabulary_size: int) -> Pieces:
    """Learns the pieces of the train part, its texts and summaries together.

    Raises:
        UserError: more characters than pieces.
    """
    given = list(texts)
    spaced_texts = [] if not given else spaced(tf.constant(given)).numpy()
    whole = b"\n".join(spaced_texts).decode()
    return Pieces(tokenizer.learn("subword", vocabulary_size, whole))


def spaced(texts: tf.Tensor) -> tf.Tensor:
    """Returns string[b] with one space before each word, none elsewhere; "" stays."""
    valid = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    single = tf.strings.strip(tf.strings.regex_replace(valid, r"[\s\pZ\x00]+", " "))
    return tf.where(single == "", "", tf.strings.join([" ", single]))


def place_of_words(pieces: Pieces, ids: Any) -> np.ndarray:
    """Returns the number of the word, from 0, that each piece of ids (b, time) belongs to."""
    begins = pieces.begins_word[np.asarray(ids)]
    return np.maximum(np.cumsum(begins, axis=1) - 1, 0)
