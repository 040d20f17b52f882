"""Cuts texts into words with the places of their characters, by stock TensorFlow operations."""

from __future__ import annotations

import typing
from typing import NamedTuple

if typing.TYPE_CHECKING:
    import tensorflow as tf

# A word, or one other sign, or one space: put together again, they are the text
_PIECES = {
    "space": r"([^\s]+|\s)",
    "signs": r"([\pL\pM\pN_]+(?:['’][\pL\pM]+)*|[^\s\pL\pM\pN_]|\s)",
}


class Cut(NamedTuple):
    """Words of texts.

    Attributes:
        text: string (b,), the texts, in which bytes that are not UTF-8 are replaced.
        words: string (b, time), padded with "".
        starts, ends: int32 (b, time), a word's first character and the one after its last; 0.
    """

    text: tf.Tensor
    words: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor


def cut(texts: tf.Tensor, tokenizer: str) -> Cut:
    """Cuts texts string (b,) at white space (`space`), or before and after each sign (`signs`).

    White space is that of ASCII. An apostrophe between letters is part of a word.
    """
    import tensorflow as tf  # here, since reading other files than texts needs none

    from apps.suite.texts import pieces

    whole = tf.strings.regex_replace(pieces.valid(texts), r"\x00", pieces.UNKNOWN)
    parts = tf.strings.split(tf.strings.regex_replace(whole, _PIECES[tokenizer], "\\1\0"), "\0")
    lengths = tf.ragged.map_flat_values(tf.strings.length, parts, unit="UTF8_CHAR")
    dense = lengths.to_tensor()
    ends = tf.cumsum(dense, axis=1)
    words = parts.to_tensor("")
    is_word = ~tf.strings.regex_full_match(words, r"\s?")

    def kept(values: tf.Tensor) -> tf.RaggedTensor:
        return tf.ragged.boolean_mask(values, is_word)

    return Cut(
        whole,
        kept(words).to_tensor(""),
        kept(ends - dense).to_tensor(0),
        kept(ends).to_tensor(0),
    )


def cut_one(text: str, tokenizer: str) -> tuple[list[str], list[int], list[int]]:
    """Returns words, starts and ends of one text; see `cut`."""
    import tensorflow as tf

    _, words, starts, ends = (each.numpy()[0] for each in cut(tf.constant([text]), tokenizer))
    return [word.decode() for word in words], starts.tolist(), ends.tolist()
