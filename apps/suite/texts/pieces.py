"""Cutting text into pieces and reading pieces back, as functions of stock TensorFlow operations.

They run alike in NumPy-speed preparation of a whole text (one string of megabytes) and in a served
graph (a batch of prompts). All strings are UTF-8.
"""

import tensorflow as tf

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""Whatever a vocabulary lacks, and bytes that are not UTF-8; id 0 in every vocabulary."""

_WORD = r" ?[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*"
_SYMBOL = r" ?[^\s\p{L}\p{M}\p{N}]"
_PIECE = rf"({_WORD}|{_SYMBOL}|\s)"
LONGEST_WORD = 64
"""Characters of a piece at most. A text without spaces would be one word, and matching subwords
takes time that grows with the square of a word's length."""
_ESCAPES = (("\\", r"\x5c"), ("\n", r"\n"), ("\r", r"\r"), ("\t", r"\t"))


def valid(texts: tf.Tensor) -> tf.Tensor:
    """Replaces bytes that are not UTF-8 by `UNKNOWN`."""
    return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")


def split_characters(texts: tf.Tensor) -> tf.RaggedTensor:
    """Splits string[b] into code points, int32 [b, (characters)]."""
    return tf.strings.unicode_decode(texts, "UTF-8", errors="replace")


def split_bytes(texts: tf.Tensor) -> tf.RaggedTensor:
    """Bytes of string[b], int32 [b, (bytes)]."""
    values = tf.io.decode_raw(tf.strings.reduce_join(texts), tf.uint8)
    return tf.RaggedTensor.from_row_lengths(tf.cast(values, tf.int32), tf.strings.length(texts))


def mark_words(texts: tf.Tensor) -> tf.Tensor:
    """Adds NULs after each word, symbol and white space, and in long words; see `split_words`."""
    no_nul = tf.strings.regex_replace(valid(texts), r"\x00", UNKNOWN)
    marked = tf.strings.regex_replace(no_nul, _PIECE, "\\1\0")
    return tf.strings.regex_replace(marked, rf"([^\x00]{{{LONGEST_WORD}}})", "\\1\0")


def split_words(texts: tf.Tensor) -> tf.RaggedTensor:
    """Words of string[b] as string [b, (pieces)], each with the one space before it.

    A piece is a run of letters, marks and digits (with inner apostrophes), or one other symbol,
    or one character of white space; put together again, they are the text. What is longer than
    `LONGEST_WORD` characters becomes several pieces of that length and the rest.
    """
    pieces = tf.strings.split(mark_words(texts), sep="\0")
    return tf.ragged.boolean_mask(pieces, pieces != "")


def escape(pieces: tf.Tensor) -> tf.Tensor:
    """Strings that fit on one line of a vocabulary file, and can be told apart there."""
    for character, written in _ESCAPES:
        pieces = tf.strings.regex_replace(
            pieces, character.replace("\\", "\\\\"), written.replace("\\", "\\\\")
        )
    return pieces


def unescape(lines: tf.Tensor) -> tf.Tensor:
    """Undoes `escape`. The backslash comes last: until then each one begins an escape."""
    for character, written in reversed(_ESCAPES):
        lines = tf.strings.regex_replace(
            lines, written.replace("\\", "\\\\"), character.replace("\\", "\\\\")
        )
    return lines


def escape_line(piece: str) -> str:
    """Returns `escape` of one Python string."""
    for character, written in _ESCAPES:
        piece = piece.replace(character, written)
    return piece


def unescape_line(line: str) -> str:
    """Returns `unescape` of one Python string."""
    for character, written in reversed(_ESCAPES):
        line = line.replace(written, character)
    return line


def longest_match(
    words: tf.Tensor, table: tf.lookup.StaticHashTable, longest: tf.Tensor
) -> tf.RaggedTensor:
    """Ids of string[n], int32 [n, (pieces)]: from the left, always the longest piece of the table.

    A word of which some part is in no piece is 0 as a whole, as WordPiece has it. `longest` is the
    length of the longest piece in characters. All words advance together, one piece a turn, so
    that the work grows with the pieces of the longest word and not with the number of words.
    """
    lengths = tf.strings.length(words, unit="UTF8_CHAR")
    widths = tf.range(longest, 0, -1)

    def advance(
        row: tf.Tensor, start: tf.Tensor, rows: tf.Tensor, ids: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        word = tf.gather(words, row)
        left = tf.gather(lengths, row) - start
        shape = tf.stack([tf.size(row), tf.size(widths)])
        candidates = tf.strings.substr(
            tf.broadcast_to(word[:, None], shape),
            tf.broadcast_to(start[:, None], shape),
            tf.broadcast_to(widths[None, :], shape),
            unit="UTF8_CHAR",
        )
        # A width beyond the end of the word gives the same string as the width that reaches it.
        found = table.lookup(escape(candidates))
        best = tf.argmax(found > 0, axis=1, output_type=tf.int32)
        identifier = tf.gather(found, best, batch_dims=1)
        width = tf.minimum(tf.gather(widths, best), left)
        more = (identifier > 0) & (width < left)
        return (
            tf.boolean_mask(row, more),
            tf.boolean_mask(start + width, more),
            tf.concat([rows, row], 0),
            tf.concat([ids, identifier], 0),
        )

    row = tf.where(lengths > 0)[:, 0]
    empty = tf.zeros([0], tf.int64)
    unknown_length = tf.TensorShape([None])
    _, _, rows, ids = tf.while_loop(
        lambda row, *_: tf.size(row) > 0,
        advance,
        (row, tf.zeros_like(row, tf.int32), empty, empty),
        shape_invariants=(unknown_length,) * 4,
    )
    order = tf.argsort(rows, stable=True)
    rows, ids = tf.gather(rows, order), tf.gather(ids, order)
    count = tf.size(words, out_type=tf.int64)
    failed = tf.math.unsorted_segment_min(ids, rows, count) == 0
    first = tf.concat([[True], rows[1:] != rows[:-1]], 0)[: tf.size(rows)]
    kept = tf.gather(~failed, rows) | first
    ids = tf.where(tf.gather(failed, rows), tf.zeros_like(ids), ids)
    return tf.RaggedTensor.from_value_rowids(
        tf.cast(tf.boolean_mask(ids, kept), tf.int32), tf.boolean_mask(rows, kept), nrows=count
    )
