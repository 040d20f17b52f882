"""The text, cut in order into its three parts, and the windows a model reads of it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.suite import errors
from apps.suite.data import named_sets
from apps.suite.texts import text_files, tokenizer
from apps.text_generation import config as configs

DEFAULT = "king_james_bible"


@dataclass(frozen=True)
class Text:
    """A text in three parts that follow each other; put together, they are the whole."""

    name: str
    licence: str
    source: str
    fingerprint: str  # SHA-256 of the whole text in UTF-8
    train: str
    validation: str
    test: str


@dataclass(frozen=True)
class Tokens:
    """The parts of a `Text` as token ids, int32 [tokens] each."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def load(config: configs.Config) -> Text:
    """Reads the text of `config.data` and cuts it.

    `config.data` is a file in UTF-8, a folder whose .txt files are joined in the order of their
    names, or the name of a TFDS set with a `text` feature, whose splits are joined in the order
    train, validation, test. What exists on disk comes first. Line ends become a line feed, a byte
    order mark is dropped, and files (or the examples of one split) that are joined each end in a
    line feed; nothing else is changed. The last `test_fraction` of the characters is the test part
    and the `validation_fraction` before it the validation part.

    Raises:
        UserError: nothing of that name, not UTF-8 text, or too short to be cut.
    """
    name = config.data or DEFAULT
    path = Path(name).expanduser()
    if path.exists():
        whole, licence, source = _read_path(path), "your own", str(path.resolve())
        name = path.resolve().name
    elif path.suffix == ".txt" or name.startswith((".", "/", "~")):
        raise errors.UserError(f"{name}: no such file or folder")
    else:
        whole, licence, source = _read_set(name)
    count = len(whole)
    test_start = count - int(count * config.text.test_fraction)
    validation_start = test_start - int(count * config.text.validation_fraction)
    needed = config.training.window_tokens + 1
    # A word or a subword may be many characters long; `encode` counts tokens.
    if validation_start < needed or min(test_start - validation_start, count - test_start) < 2:
        raise errors.UserError(
            f"{source}: {count} characters are too short for windows of "
            f"{config.training.window_tokens} tokens and a validation and a test part; "
            "give more text or a smaller training.window_tokens"
        )
    return Text(
        name=name,
        licence=licence,
        source=source,
        fingerprint=hashlib.sha256(whole.encode()).hexdigest(),
        train=whole[:validation_start],
        validation=whole[validation_start:test_start],
        test=whole[test_start:],
    )


def preprocess(texts: tf.Tensor, tokenizer: tokenizer.Tokenizer) -> tf.RaggedTensor:
    """Encodes string[b] as ids int32 [b, (tokens)], by the operations of the export."""
    return tokenizer.graph_encode(texts)


def encode(text: Text, tokenizer: tokenizer.Tokenizer, config: configs.Config) -> Tokens:
    """Encodes the three parts as token ids; UserError if too few for one window."""
    whole = tf.constant([text.train, text.validation, text.test])
    train, validation, test = (row.numpy() for row in preprocess(whole, tokenizer))
    if len(train) <= config.training.window_tokens or min(len(validation), len(test)) < 2:
        raise errors.UserError(
            f"{text.source}: {len(train)} training, {len(validation)} validation and {len(test)} "
            f"test tokens are too few for windows of {config.training.window_tokens} tokens; "
            "give more text or a smaller training.window_tokens"
        )
    return Tokens(train, validation, test)


def batches(
    tokens: np.ndarray, batch_size: int, window_tokens: int, first_step: int = 0, seed: int = 0
) -> tf.data.Dataset:
    """Yields (tokens, next tokens) without end, both int32 [batch_size, window_tokens].

    The rows start at evenly spaced places of the text, which is taken as a ring, and each one
    walks on for ever, window by window, so that its state can be carried. The seed turns the ring.
    A step is a function of its number and the seed alone: a stream that begins at `first_step`
    continues another one exactly, at no cost.
    """
    count = len(tokens)
    turn = int(np.random.default_rng(seed).integers(count))
    starts = tf.constant((turn + np.arange(batch_size) * count // batch_size)[:, None])
    ring = tf.constant(tokens, tf.int32)
    offsets = tf.range(window_tokens + 1, dtype=tf.int64)

    def window(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        read = tf.gather(ring, (starts + step * window_tokens + offsets) % count)
        read = tf.ensure_shape(read, [batch_size, window_tokens + 1])
        return read[:, :-1], read[:, 1:]

    return tf.data.Dataset.counter(first_step).map(window).prefetch(2)


def evaluation_batches(tokens: np.ndarray, batch_size: int, window_tokens: int) -> tf.data.Dataset:
    """Returns one pass of (tokens, next tokens, weights), each [batch_size, window_tokens].

    The text is laid out in `batch_size` contiguous rows; the state of a row is to be carried from
    a batch to the next. Every token but the very first is a next token of weight 1 exactly once;
    what fills up the last windows has weight 0. Weights are float32, tokens int32.
    """
    count = len(tokens) - 1
    row_tokens = -(-count // batch_size)
    steps = -(-row_tokens // window_tokens)
    offsets = np.arange(steps * window_tokens)
    places = np.arange(batch_size)[:, None] * row_tokens + offsets
    weights = (offsets < row_tokens) & (places < count)
    places = np.where(weights, places, 0)

    def windows(rows: np.ndarray) -> np.ndarray:
        return rows.reshape(batch_size, steps, window_tokens).swapaxes(0, 1)

    stream = (tokens[places], tokens[places + 1], weights.astype(np.float32))
    return tf.data.Dataset.from_tensor_slices(tuple(windows(rows) for rows in stream)).prefetch(2)


def _read_path(path: Path) -> str:
    if not path.is_dir():
        return text_files.read(path)
    files = sorted(path.glob("*.txt"))
    if not files:
        raise errors.UserError(f"{path}: no .txt file in this folder")
    return _join([text_files.read(file) for file in files])


def _read_set(name: str) -> tuple[str, str, str]:
    """Reads text, licence and source of a TFDS set."""
    builder = named_sets.prepare(name)
    if "text" not in builder.info.features:
        raise errors.UserError(f"{name}: has no text feature; it cannot be learned by this task")
    order = ("train", "validation", "test")
    splits = sorted(builder.info.splits, key=lambda s: (order.index(s) if s in order else 3, s))
    parts = []
    for split in splits:
        examples = builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator()
        parts.append(_join([example["text"].decode() for example in examples]))
    info = builder.info
    return "".join(parts), info.redistribution_info.license or "see source", info.homepage


def _join(texts: list[str]) -> str:
    if len(texts) == 1:
        return texts[0]
    return "".join(text if text.endswith("\n") else f"{text}\n" for text in texts)
