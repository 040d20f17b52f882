"""Cuts texts into words, and joins words to spans, with the places of their characters.

All by stock TensorFlow operations: for files alike and in a served graph.
"""

from __future__ import annotations

import itertools
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

if typing.TYPE_CHECKING:
    import tensorflow as tf

# A word, or one other sign, or one space: put together again, they are the text
_PIECES = {
    "space": r"([^\s]+|\s)",
    "signs": r"([\pL\pM\pN_]+(?:['’][\pL\pM]+)*|[^\s\pL\pM\pN_]|\s)",
}


Place = tuple[int, int, str]
"""Start and end of a span, and its label."""


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


class Spans:
    """Spans of words in a batch of sentences, one after the other.

    Args:
        kinds: int32 (b, time), the number of the type of a word's span, -1 outside of spans.
        begins: bool (b, time), words that begin a span even after one of the same type.

    Attributes:
        inside, begins, ends: bool (b, time), words in spans, at their starts and their ends.
        after_same: bool (b, time), words in spans after a word of the same type.
        first, last: int64 (spans, 2), row and number of the first and the last word.
        number: int32 (words inside,), of the span that a word is in.
    """

    def __init__(self, kinds: tf.Tensor, begins: tf.Tensor) -> None:
        import tensorflow as tf

        time = tf.shape(kinds)[1]
        self.inside = kinds >= 0
        same = self.inside[:, 1:] & (kinds[:, 1:] == kinds[:, :-1])
        self.after_same = tf.pad(same, [[0, 0], [1, 0]])[:, :time]
        self.begins = self.inside & (begins | ~self.after_same)
        goes_on = tf.pad((self.inside & ~self.begins)[:, 1:], [[0, 0], [0, 1]])[:, :time]
        self.ends = self.inside & ~goes_on
        self.first, self.last = tf.where(self.begins), tf.where(self.ends)
        first = tf.cast(tf.boolean_mask(self.begins, self.inside), tf.int32)
        self.number = tf.cumsum(first) - 1
        self._counts = tf.reduce_sum(tf.cast(self.begins, tf.int64), axis=1)

    def in_text(self, cut: Cut) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the spans' texts, string (spans,), and their places of characters, int32."""
        import tensorflow as tf

        starts = tf.gather_nd(cut.starts, self.first)
        ends = tf.gather_nd(cut.ends, self.last)
        whole = tf.gather(cut.text, self.first[:, 0])
        return tf.strings.substr(whole, starts, ends - starts, unit="UTF8_CHAR"), starts, ends

    def in_words(self, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the same of words string (b, time); places are numbers of words."""
        import tensorflow as tf

        inner = tf.boolean_mask(words, self.inside)
        spans = tf.shape(self.first)[0]
        texts = tf.strings.unsorted_segment_join(inner, self.number, spans, " ")
        starts, ends = (tf.cast(each[:, 1], tf.int32) for each in (self.first, self.last))
        return texts, starts, ends + 1

    def least(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the least of the values (b, time) of each span's words, (spans,)."""
        import tensorflow as tf

        inner = tf.boolean_mask(values, self.inside)
        return tf.math.unsorted_segment_min(inner, self.number, tf.shape(self.first)[0])

    def by_row(self, values: tf.Tensor, fill: Any) -> tf.Tensor:
        """Returns values (spans,) as (b, most spans), one at least, `fill` after a row's last."""
        import tensorflow as tf

        ragged = tf.RaggedTensor.from_row_lengths(values, self._counts, validate=False)
        dense = ragged.to_tensor(fill)
        missing = tf.cast(tf.shape(dense)[1] == 0, tf.int32)
        return tf.pad(dense, [[0, 0], [0, missing]], constant_values=fill)


def in_characters(words: Sequence[str], spans: Iterable[Place]) -> tuple[str, list[Place]]:
    """Returns words as one text, and places of words as places of its characters."""
    starts = [0, *itertools.accumulate(len(word) + 1 for word in words)]
    return " ".join(words), [(starts[one], starts[end] - 1, kind) for one, end, kind in spans]


def marked(
    text: str,
    spans: Iterable[Place],
    told: Callable[[str, str], str],
    written: Callable[[str], str] = str,
) -> str:
    """Writes a text with its spans as `told` writes text and label, the rest as `written` does."""
    pieces, end = [], 0
    for start, stop, label in spans:
        pieces += [written(text[end:start]), told(written(text[start:stop]), written(label))]
        end = stop
    return "".join([*pieces, written(text[end:])])
