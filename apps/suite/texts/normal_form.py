"""Brings texts into one form, by stock TensorFlow operations: for training and the served graph.

    é as e + accent        é as one character (Unicode's NFC but for the
                           letters that it takes apart, marks right after their letter)
    ’ ʼ ′ ＇               '
    no-break, thin spaces  a space; runs of white space are one, none at the ends
    soft hyphen, zero width, other signs without a width     nothing
    bytes that are not UTF-8                                  U+FFFD

A text in this form stays as it is.
"""

from __future__ import annotations

import functools
import sys
import unicodedata

import numpy as np
import tensorflow as tf

from apps.suite.texts import pieces

_NEXT = 1 << 21  # above all code points
_ROUNDS = 4  # marks of a letter that are composed; no letter of Unicode is composed of more
_NO_WIDTH = "[\u00ad\u200b\u200e\u200f\u2060\ufeff\x00]"
_APOSTROPHES = "[\u2019\u02bc\u2032\uff07]"
_SPACES = "[\\s\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"


class NormalForm(tf.Module):
    """Holds the table of composed characters; an exported object has to hold it as an attribute."""

    def __init__(self) -> None:
        super().__init__(name="normal_form")
        keys, values = _compositions()
        self._composed = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(keys), tf.constant(values)), 0
        )

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """Returns string[b] in the form that the module describes."""
        points = tf.strings.unicode_decode(pieces.valid(texts), "UTF-8")
        values = tf.cast(points.flat_values, tf.int64)
        rows = points.value_rowids()
        alone = self._composed.lookup(values * _NEXT)
        values = tf.where(alone > 0, alone, values)
        values, rows, _ = tf.while_loop(
            lambda values, rows, more: more,
            self._compose,
            (values, rows, tf.reduce_any(self._pairs(values, rows) > 0)),
            shape_invariants=(tf.TensorShape([None]), tf.TensorShape([None]), tf.TensorShape([])),
            maximum_iterations=_ROUNDS,
        )
        whole = tf.RaggedTensor.from_value_rowids(
            tf.cast(values, tf.int32), rows, nrows=tf.size(texts, tf.int64), validate=False
        )
        composed = tf.strings.unicode_encode(whole, "UTF-8")
        # Without a width first: what it stands between may be white space
        for pattern, written in ((_NO_WIDTH, ""), (_APOSTROPHES, "'"), (_SPACES, " ")):
            composed = tf.strings.regex_replace(composed, pattern, written)
        return tf.strings.strip(composed)

    def _pairs(self, values: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Returns what each character and the next one of its text compose, 0 for nothing."""
        after = tf.concat([values[1:], tf.zeros_like(values[:1])], 0)
        same = tf.concat([rows[1:] == rows[:-1], tf.zeros_like(rows[:1], tf.bool)], 0)
        # A character alone has an entry of its own, with nothing after it
        found = self._composed.lookup(values * _NEXT + after)
        return tf.where(same[: tf.size(values)] & (after > 0), found, 0)

    def _compose(
        self, values: tf.Tensor, rows: tf.Tensor, _: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        composed = self._pairs(values, rows)
        taken = tf.concat([tf.zeros([1], tf.bool), composed > 0], 0)[: tf.size(values)]
        values = tf.boolean_mask(tf.where(composed > 0, composed, values), ~taken)
        rows = tf.boolean_mask(rows, ~taken)
        return values, rows, tf.reduce_any(self._pairs(values, rows) > 0)


@functools.cache
def _compositions() -> tuple[np.ndarray, np.ndarray]:
    """Returns keys first * 2 ** 21 + second (0 for a character alone), and what they compose.

    A pair is never both the end of one composition and the start of another, so that all pairs of
    a text can be composed at once.
    """
    found = {}
    for point in range(0xA0, sys.maxunicode + 1):
        character = chr(point)
        whole = unicodedata.normalize("NFC", character)
        if whole != character:
            if len(whole) == 1:  # another name of the same character, as of the Ångström sign
                found[point * _NEXT] = ord(whole)
            continue
        parts = unicodedata.normalize("NFD", character)
        if len(parts) > 1:
            first = unicodedata.normalize("NFC", parts[:-1])
            if len(first) == 1 and unicodedata.normalize("NFC", first + parts[-1]) == character:
                found[ord(first) * _NEXT + ord(parts[-1])] = point
    return np.array([*found], np.int64), np.array([*found.values()], np.int64)
