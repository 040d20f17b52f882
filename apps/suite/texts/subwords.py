"""Cuts texts into subwords with numbers, and puts them together again; nothing is lost.

    0 padding, 1 the start of a text, 2 its end, 3 to 258 the bytes, then the pieces

The pieces are parts of words as WordPiece training merges them, or single characters. A word of
which some part is in no piece is written byte by byte. A space stands before a text, so that its
first word is written as in its middle; it is taken away again.
"""

from __future__ import annotations

import collections
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path

import tensorflow as tf

from apps.suite import errors
from apps.suite.runs import files
from apps.suite.texts import normal_form, pieces

PADDING, START, END = 0, 1, 2
_BYTES = 3  # the number of byte 0
FIRST = _BYTES + 256  # of the first piece
KINDS = ("subword", "character")
PIECES_FILE, KIND_FILE = "pieces.txt", "subwords.json"
_RARE = 2  # characters that come less often are written as bytes


class Subwords(tf.Module):
    """Numbers of the pieces of texts, by stock TensorFlow operations.

    The pieces lie in a file that lookup tables read, and so in a SavedModel's assets; an exported
    object has to hold this one as an attribute.

    Args:
        known: the pieces, without special ones; every character of a piece is a piece too.
    """

    def __init__(self, known: Sequence[str]) -> None:
        super().__init__(name="subwords")
        self.known = tuple(known)
        self.normal_form = normal_form.NormalForm()
        self._longest = max(map(len, self.known), default=1)
        folder = Path(tempfile.mkdtemp(prefix="subwords-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        file = folder / PIECES_FILE
        file.write_text(self._lines(), encoding="utf-8", newline="")
        line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        self._ids = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                str(file), tf.string, line, tf.int64, number, value_index_offset=FIRST
            ),
            0,
        )
        self._pieces = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(str(file), tf.int64, number, tf.string, line), ""
        )

    @property
    def size(self) -> int:
        """Returns the number of ids, the special ones and the bytes included."""
        return FIRST + max(1, len(self.known))

    def normalised(self, texts: tf.Tensor) -> tf.Tensor:
        """Returns string[b] in the form that is encoded; see `normal_form`."""
        return self.normal_form(texts)

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Encodes normalised string[b] as ids int32 [b, (pieces)], without start and end."""
        spaced = tf.where(texts == "", "", tf.strings.join([" ", texts]))
        words = pieces.split_words(spaced)
        unique, index = tf.unique(words.flat_values)
        found = pieces.longest_match(unique, self._ids, tf.constant(self._longest))
        # `longest_match` gives the single id 0 for a word that it cannot write
        failed = tf.reduce_any(found == 0, axis=1)
        numbers = pieces.split_bytes(tf.boolean_mask(unique, failed)) + _BYTES
        place = tf.where(
            failed,
            tf.size(unique) + tf.cumsum(tf.cast(failed, tf.int32)) - 1,
            tf.range(tf.size(unique)),
        )
        both = tf.concat([found, numbers.with_row_splits_dtype(found.row_splits.dtype)], axis=0)
        ids = tf.gather(both, tf.gather(place, index))
        return words.with_flat_values(ids).merge_dims(1, 2)

    def strings(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns the piece of each id, string of the same shape; "" for the special ones.

        A byte is returned as that byte, which may be half a character.
        """
        flat = tf.reshape(ids, [-1])
        every = tf.constant([bytes([byte]) for byte in range(256)])
        byte = tf.gather(every, tf.clip_by_value(flat - _BYTES, 0, 255))
        piece = pieces.unescape(self._pieces.lookup(tf.cast(flat - FIRST, tf.int64)))
        found = tf.where(flat >= FIRST, piece, tf.where(flat >= _BYTES, byte, ""))
        return tf.reshape(found, tf.shape(ids))

    def decode(self, ids: tf.Tensor) -> tf.Tensor:
        """Decodes ids int32 [b, t] to string[b]; special ids are left out."""
        joined = tf.strings.reduce_join(self.strings(ids), axis=1)
        return tf.strings.strip(pieces.valid(joined))

    def save(self, folder: Path) -> None:
        """Writes the pieces into a folder, from which `load` reads them."""
        files.make_folder(folder)
        files.write_atomically(folder / PIECES_FILE, self._lines())
        files.write_atomically(folder / KIND_FILE, json.dumps({"pieces": len(self.known)}) + "\n")

    def _lines(self) -> str:
        # A file without a line is not a table; no piece is empty
        return "".join(f"{pieces.escape_line(piece)}\n" for piece in self.known or ["\t"])


def load(folder: Path) -> Subwords:
    """Reads what `Subwords.save` wrote; UserError where it is missing or damaged."""
    try:
        count = json.loads((folder / KIND_FILE).read_text(encoding="utf-8"))["pieces"]
        lines = (folder / PIECES_FILE).read_bytes().decode().split("\n")[:-1]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.UserError(
            f"{folder / KIND_FILE}: the pieces beside it cannot be read; train again"
        ) from error
    if len(lines) != max(1, count):
        raise errors.UserError(
            f"{folder / PIECES_FILE}: {len(lines)} lines where {KIND_FILE} has {count}; train again"
        )
    return Subwords([pieces.unescape_line(line) for line in lines] if count else [])


def learn(texts: Iterable[str], size: int, kind: str = "subword") -> Subwords:
    """Learns the pieces of normalised texts of the train part.

    Args:
        texts: to learn from.
        size: most pieces; characters come first, the more frequent ones before others.
        kind: "subword", or "character" for pieces of one character each.
    """
    marked = [
        word.decode().split("\0")
        for word in pieces.mark_words(tf.constant([f" {text}" for text in texts] or [""])).numpy()
    ]
    words = collections.Counter(word for text in marked for word in text if word)
    characters: collections.Counter[str] = collections.Counter()
    for word, count in words.items():
        for character in word:
            characters[character] += count
    characters.pop(pieces.UNKNOWN, None)
    ordered = sorted(characters.items(), key=lambda pair: (-pair[1], pair[0]))
    alphabet = [character for character, count in ordered if count >= _RARE][:size]
    if kind == "character":
        return Subwords(sorted(alphabet))
    known = set(alphabet)
    kept = {word: count for word, count in words.items() if set(word) <= known}
    return Subwords(_merged(kept, alphabet, size))


def _merged(words: dict[str, int], alphabet: list[str], size: int) -> list[str]:
    """Returns the alphabet and what WordPiece training merges, in the order of the merges."""
    # One thread learns fast enough, and a later fork would make the library print a warning
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import tokenizers

    library = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(unk_token=pieces.UNKNOWN, continuing_subword_prefix="")
    )
    library.pre_tokenizer = tokenizers.pre_tokenizers.Split("\0", "removed")
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=size + 1,
        special_tokens=[pieces.UNKNOWN],
        initial_alphabet=alphabet,
        continuing_subword_prefix="",
        show_progress=False,
    )
    repeated = (f"{word}\0" * min(count, 10_000) for word, count in words.items())
    library.train_from_iterator(repeated, trainer)
    ids = library.get_vocab()
    found = sorted((piece for piece in ids if pieces.UNKNOWN not in piece), key=ids.__getitem__)
    return [*found, *sorted(set(alphabet) - set(found))]
