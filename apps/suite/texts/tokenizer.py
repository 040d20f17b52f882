"""Text to token ids and back: one code for training and for the served graph.

Learning a vocabulary, from the training part of a text alone.
"""

import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.suite import errors
from apps.suite.runs import files
from apps.suite.texts import pieces

VOCABULARY_FILE = "vocabulary.txt"
KIND_FILE = "tokenizer.json"
KINDS = ("character", "byte", "word", "subword")


class Tokenizer(tf.Module):
    """A vocabulary, and text cut into its pieces: characters, bytes, words or subwords.

    Id 0 is the unknown; it is read back as U+FFFD. The other ids follow the lines of the
    vocabulary file, which is read by lookup tables and so ends up in a SavedModel's assets. Every
    operation is one of stock TensorFlow's. An exported object has to hold the tokenizer as an
    attribute, or its tables are not saved with it.

    Args:
        kind: one of `KINDS`.
        vocabulary: the pieces by id, `pieces.UNKNOWN` first; for bytes it is always the same.
    """

    def __init__(self, kind: str, vocabulary: Sequence[str]) -> None:
        super().__init__(name="tokenizer")
        self.kind = kind
        self.vocabulary = tuple(vocabulary)
        self.longest_piece = max(len(piece) for piece in self.vocabulary)
        # Lookup tables are read from a file for as long as the process lives.
        folder = tempfile.mkdtemp(prefix="vocabulary-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        file = Path(folder) / VOCABULARY_FILE
        file.write_text(self._lines(), encoding="utf-8", newline="")
        line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        self._ids = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(str(file), tf.string, line, tf.int64, number), 0
        )
        self._pieces = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(str(file), tf.int64, number, tf.string, line),
            pieces.UNKNOWN,
        )

    @property
    def vocabulary_size(self) -> int:
        """Returns the number of ids, including the unknown."""
        return len(self.vocabulary)

    def graph_encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Encodes string[b] as token ids, int32 [b, (tokens)]."""
        if self.kind == "byte":
            return pieces.split_bytes(texts)
        if self.kind == "character":
            characters = pieces.split_characters(texts)
            unique, index = tf.unique(characters.flat_values)
            ids = self._lookup(tf.strings.unicode_encode(unique[:, None], "UTF-8"))
            return characters.with_flat_values(tf.gather(ids, index))
        words = pieces.split_words(texts)
        unique, index = tf.unique(words.flat_values)
        if self.kind == "word":
            return words.with_flat_values(tf.gather(self._lookup(unique), index))
        subwords = pieces.longest_match(unique, self._ids, tf.constant(self.longest_piece))
        tokens = tf.gather(subwords, index)
        return words.with_flat_values(tokens).merge_dims(1, 2)

    def graph_decode(self, ids: tf.Tensor, lengths: tf.Tensor | None = None) -> tf.Tensor:
        """Decodes ids int [b, t] to string[b]; row b has lengths[b] tokens, or all of them.

        Bytes that are not UTF-8, which a model may generate, become U+FFFD.
        """
        unique, index = tf.unique(tf.reshape(ids, [-1]))
        if self.kind == "byte":
            byte = tf.constant([pieces.UNKNOWN.encode(), *(bytes([i]) for i in range(1, 256))])
            found = tf.gather(byte, unique)
        else:
            found = pieces.unescape(self._pieces.lookup(tf.cast(unique, tf.int64)))
        texts = tf.reshape(tf.gather(found, index), tf.shape(ids))
        if lengths is not None:
            texts = tf.where(tf.sequence_mask(lengths, tf.shape(ids)[1]), texts, "")
        return pieces.valid(tf.strings.reduce_join(texts, axis=1))

    def encode(self, text: str) -> np.ndarray:
        """Encodes one text as token ids, int32 [tokens]."""
        return self.graph_encode(tf.constant([text])).flat_values.numpy()

    def decode(self, ids: np.ndarray | Sequence[int]) -> str:
        """Decodes ids int [tokens] to one text."""
        row = tf.constant(np.asarray(ids, np.int32)[None])
        return self.graph_decode(row).numpy()[0].decode()

    def first_unknown(self, text: str) -> tuple[str, int] | None:
        """Finds the first piece that the vocabulary lacks, and its position in characters."""
        if self.kind in ("character", "byte"):
            cut = tf.strings.unicode_split([text], "UTF-8").flat_values
        else:
            cut = pieces.split_words(tf.constant([text])).flat_values
        ids = self.graph_encode(cut)
        unknown = tf.where(tf.reduce_any(ids == 0, axis=1))[:, 0].numpy()
        if not len(unknown):
            return None
        before = tf.strings.length(cut[: unknown[0]], unit="UTF8_CHAR")
        return cut[unknown[0]].numpy().decode(), int(tf.reduce_sum(before))

    def save(self, folder: Path) -> None:
        """Writes `vocabulary.txt` (a piece a line) and `tokenizer.json` (the kind)."""
        files.make_folder(folder)
        content = {"kind": self.kind, "vocabulary_size": self.vocabulary_size}
        files.write_atomically(folder / VOCABULARY_FILE, self._lines())
        files.write_atomically(folder / KIND_FILE, json.dumps(content) + "\n")

    def _lookup(self, unescaped: tf.Tensor) -> tf.Tensor:
        return tf.cast(self._ids.lookup(pieces.escape(unescaped)), tf.int32)

    def _lines(self) -> str:
        return "".join(f"{pieces.escape_line(piece)}\n" for piece in self.vocabulary)


def load(folder: Path) -> Tokenizer:
    """Reads the tokenizer that `Tokenizer.save` wrote; UserError if it is missing or damaged."""
    try:
        content = json.loads((folder / KIND_FILE).read_text(encoding="utf-8"))
        lines = (folder / VOCABULARY_FILE).read_bytes().decode().split("\n")[:-1]
        kind, size = content["kind"], content["vocabulary_size"]
    except FileNotFoundError as error:
        raise errors.UserError(f"{error.filename}: not found; train the model again") from None
    except (ValueError, KeyError, TypeError):
        raise errors.UserError(f"{folder / KIND_FILE}: damaged; train the model again") from None
    if kind not in KINDS or len(lines) != size:
        raise errors.UserError(
            f"{folder / VOCABULARY_FILE}: {len(lines)} lines where {KIND_FILE} has {size}; "
            "train the model again"
        )
    return Tokenizer(kind, [pieces.unescape_line(line) for line in lines])


def learn(kind: str, vocabulary_size: int, text: str) -> Tokenizer:
    """Learns a tokenizer for texts like this one.

    Args:
        kind: `character`: all characters of the text, by code point. `byte`: the 256 bytes, for
            any text. `word`: the words seen at least twice, the most frequent ones first; the
            others are unknown, so that a model learns how often the unknown comes. `subword`:
            all characters, and the parts of words that WordPiece training merges.
        vocabulary_size: most pieces of a word or subword vocabulary, the unknown included.
        text: the training part.

    Raises:
        UserError: `subword` with a vocabulary that is smaller than the text's characters are many.
    """
    if kind == "byte":
        learned = [f"<0x{byte:02x}>" for byte in range(1, 256)]
    elif kind == "character":
        learned = sorted(set(text) - {pieces.UNKNOWN, "\0"})
    elif kind == "word":
        learned = _frequent_words(text, vocabulary_size - 1)
    else:
        learned = _subwords(text, vocabulary_size)
    return Tokenizer(kind, [pieces.UNKNOWN, *learned])


def _frequent_words(text: str, count: int) -> list[str]:
    words = pieces.split_words(tf.constant([text])).flat_values
    unique, _, counts = (part.numpy() for part in tf.unique_with_counts(words))
    ranked = sorted(
        (-seen, word.decode()) for word, seen in zip(unique, counts, strict=True) if seen > 1
    )
    return [word for _, word in ranked if word.strip(" ") != pieces.UNKNOWN][:count]


def _subwords(text: str, vocabulary_size: int) -> list[str]:
    # One thread learns fast enough, and a later fork would make the library print a warning.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import tokenizers

    characters = len(set(text) | {pieces.UNKNOWN})
    if vocabulary_size < characters:
        raise errors.UserError(
            f"text.vocabulary_size {vocabulary_size}: the text has {characters} characters, each a "
            "piece of its own; take a larger one, or text.tokenizer byte"
        )
    library = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(unk_token=pieces.UNKNOWN, continuing_subword_prefix="")
    )
    library.pre_tokenizer = tokenizers.pre_tokenizers.Split("\0", "removed")
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[pieces.UNKNOWN],
        continuing_subword_prefix="",
        show_progress=False,
    )
    marked = pieces.mark_words(tf.constant([text])).numpy()[0].decode()
    library.train_from_iterator(marked.splitlines(keepends=True), trainer)
    ids = library.get_vocab()
    return sorted((piece for piece in ids if pieces.UNKNOWN not in piece), key=ids.__getitem__)
