"""Computes the nats of a model for each token of a text, which it reads once in order."""

import keras
import numpy as np
import tensorflow as tf

from apps.suite.networks import sampling
from apps.suite.texts import pieces, tokenizer
from apps.text_generation import data

_LOGITS_A_CALL = 2**22  # 16 MB in float32: larger calls are no faster, and take memory


def nats_per_token(
    streaming: keras.Model, tokens: np.ndarray, batch_size: int = 16, window_tokens: int = 256
) -> float:
    """Returns the mean of `token_nats`; see there for the arguments."""
    return float(token_nats(streaming, tokens, batch_size, window_tokens).mean(dtype=np.float64))


def token_nats(
    streaming: keras.Model,
    tokens: np.ndarray,
    batch_size: int = 16,
    window_tokens: int = 256,
    warm_up_tokens: int = 256,
) -> np.ndarray:
    """Returns -ln p of every token but the first, given all tokens before it.

    The text is read in `batch_size` contiguous rows side by side, each with its state carried from
    window to window. One row is exact. A further row begins in the middle of the text: it first
    reads the `warm_up_tokens` before its own without scoring them, so that its state is close to
    that of a reader who came all the way.

    Args:
        streaming: what `model.build_streaming` returns; it is called without dropout.
        tokens: int32 [tokens], at least 2.
        batch_size: rows; fewer are taken where the rows would be shorter than their warm-up.
        window_tokens: tokens of each row in one call of the model; changes nothing but speed.
        warm_up_tokens: read ahead of each row but the first.

    Returns:
        float32 [tokens - 1], in the order of the text.

    Raises:
        ValueError: fewer than 2 tokens.
    """
    count = len(tokens) - 1
    if count < 1:
        raise ValueError(f"a score needs at least 2 tokens, got {len(tokens)}")
    rows = max(1, min(batch_size, count // max(1, warm_up_tokens)))
    row_tokens = -(-count // rows)
    vocabulary_size = streaming.outputs[0].shape[-1]
    window = max(1, min(window_tokens, row_tokens, _LOGITS_A_CALL // (rows * vocabulary_size)))
    states = sampling.initial_states(streaming, rows)
    if rows > 1:
        states = _warm_up(streaming, tokens, rows, row_tokens, warm_up_tokens, window)
    read = []
    for now, following, _ in data.evaluation_batches(tokens, rows, window):
        nats, states = _read(streaming, now, following, states)
        read.append(nats)
    # Rows lie one after the other in the text; what fills up their last windows is cut off.
    return tf.concat(read, axis=1).numpy()[:, :row_tokens].reshape(-1)[:count]


def character_counts(text: str, tokenizer: tokenizer.Tokenizer) -> np.ndarray:
    """Returns the number of characters that each token of the text stands for, int32 [tokens].

    The counts add up to the length of the text, in whatever a token's text is unknown to the
    vocabulary. A character of several bytes counts with its first byte.
    """
    whole = tf.constant([text])
    if tokenizer.kind == "character":
        return np.ones(len(text), np.int32)
    if tokenizer.kind == "byte":
        values = pieces.split_bytes(whole).flat_values
        return tf.cast((values < 0x80) | (values >= 0xC0), tf.int32).numpy()
    words = pieces.split_words(whole).flat_values
    lengths = tf.strings.length(words, unit="UTF8_CHAR")
    if tokenizer.kind == "word":
        return lengths.numpy()
    ids = tokenizer.graph_encode(words)
    vocabulary = tf.constant([len(piece) for piece in tokenizer.vocabulary])
    # A word of which some part is in no piece is one unknown token as a whole.
    known = tf.gather(vocabulary, ids.flat_values)
    return tf.where(ids.flat_values > 0, known, tf.gather(lengths, ids.value_rowids())).numpy()


def _warm_up(
    streaming: keras.Model,
    tokens: np.ndarray,
    rows: int,
    row_tokens: int,
    warm_up_tokens: int,
    window: int,
) -> list[tf.Tensor]:
    """Returns the initial states of the rows."""
    starts = np.arange(rows)[:, None] * row_tokens
    # The first row has nothing before it: what it reads here is taken back below. Of a short text
    # in many rows the last ones may be empty.
    places = np.clip(starts + np.arange(-warm_up_tokens, 0), 0, len(tokens) - 1)
    before = tf.constant(tokens[places], tf.int32)
    states = sampling.initial_states(streaming, rows)
    for start in range(0, warm_up_tokens, window):
        now = before[:, start : start + window]
        _, states = _read(streaming, now, now, states)
    is_first = tf.constant(starts == 0)
    return [tf.where(is_first, 0.0, state) for state in states]


# One trace for a model and its shapes, over all validations
@tf.function(autograph=False, reduce_retracing=True)
def _read(
    streaming: keras.Model, now: tf.Tensor, following: tf.Tensor, states: list[tf.Tensor]
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Nats of the following tokens [rows, window], and the states after the last of `now`."""
    logits, *states = streaming([now, *states], training=False)
    nats = tf.nn.sparse_softmax_cross_entropy_with_logits(following, tf.cast(logits, tf.float32))
    return nats, [tf.cast(state, tf.float32) for state in states]
