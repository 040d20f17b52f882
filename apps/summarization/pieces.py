"""Cuts texts into pieces of words with numbers, to a longest length, and finds their words.

Texts and summaries share the pieces of `suite.texts.subwords`: a word is the same pieces wherever
it stands, so that a summary can copy it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from apps.suite.texts import subwords

_BYTES = subwords.FIRST - 256  # the number of byte 0
_SPACE = _BYTES + ord(" ")  # the byte that begins a word in bytes
# What no summary is written with: bytes that are neither letters nor signs among it
FORBIDDEN = (subwords.PADDING, subwords.START, *range(_BYTES, _SPACE))


class Cut(NamedTuple):
    """Texts in pieces.

    Attributes:
        ids: int32 (batch, time), 0 after the end; one column at least.
        lengths: int32 (batch,), pieces before texts were cut to the longest length.
    """

    ids: tf.Tensor
    lengths: tf.Tensor


def cut(texts: tf.Tensor, vocabulary: subwords.Subwords, most: int) -> Cut:
    """Cuts string[b]; of a text of more than `most` pieces the first ones are kept."""
    ids = vocabulary.encode(vocabulary.normalised(texts))
    dense = ids[:, :most].to_tensor()
    missing = tf.cast(tf.shape(dense)[1] == 0, tf.int32)
    lengths = tf.cast(ids.row_lengths(), tf.int32)
    return Cut(tf.pad(dense, [[0, 0], [0, missing]]), lengths)


def begins_word(vocabulary: subwords.Subwords) -> np.ndarray:
    """Returns for each id whether a piece begins with the space before a word, bool [ids]."""
    begins = np.zeros(vocabulary.size, bool)
    begins[_SPACE] = True
    for number, piece in enumerate(vocabulary.known):
        begins[subwords.FIRST + number] = piece.startswith(" ")
    return begins


def ended(ids: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Returns ids (batch, time) with the end after them, (batch, time + 1)."""
    wider = tf.pad(ids, [[0, 0], [0, 1]])
    return wider + subwords.END * tf.one_hot(lengths, tf.shape(wider)[1], dtype=tf.int32)
