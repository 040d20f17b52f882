"""Tokens of `sampling.generate` as they are drawn, a few at a time, for someone who waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from apps.text_generation import model, pieces, sampling
from apps.text_generation import tokenizer as tokenizers

_TOKENS_A_CALL = 16  # a call from Python costs as much as some ten steps in the graph


def stream(
    streaming: keras.Model,
    prompt: np.ndarray,
    *,
    length: int,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
    repetition_penalty: float = 1.0,
) -> Iterator[np.ndarray]:
    """Yields `length` tokens, those of `sampling.generate` where nothing is penalised.

    Args:
        streaming: what `model.build_streaming` returns.
        prompt: int32 [tokens], one at least.
        length: tokens to draw.
        temperature, top_k, top_p: see `sampling.next_token`.
        seed: of 64 bits.
        repetition_penalty: see `penalised`; tokens of the prompt count as seen.

    Yields:
        int32 [some], in the order in which they were drawn.
    """
    options = [
        tf.constant([value], dtype)
        for value, dtype in ((temperature, tf.float32), (top_k, tf.int32), (top_p, tf.float32))
    ]
    penalty = tf.constant(repetition_penalty, tf.float32)
    uniforms = sampling.uniforms(tf.constant([seed], tf.int64), length)
    token, states, seen = read_prompt(streaming, prompt)
    for start in range(0, length, _TOKENS_A_CALL):
        draws = uniforms[:, start : start + _TOKENS_A_CALL]
        tokens, states, seen = _draw(streaming, token, states, seen, penalty, draws, *options)
        token = tokens[-1:]
        yield tokens.numpy()


def texts(blocks: Iterable[np.ndarray], tokenizer: tokenizers.Tokenizer) -> Iterator[str]:
    """Yields the text of tokens as soon as it is certain; put together, it is `decode` of all.

    A byte may be a part of a character whose other bytes are still to come.
    """
    pending = np.zeros(0, np.int32)
    text = ""
    for tokens in blocks:
        pending = np.concatenate([pending, tokens])
        text = tokenizer.decode(pending)
        if not text.endswith(pieces.UNKNOWN):
            yield text
            pending, text = pending[:0], ""
    if text:
        yield text


def read_prompt(
    streaming: keras.Model, prompt: np.ndarray
) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor]:
    """The prompt's last token int32 (1,), the states before it, and which tokens were in it."""
    tokens = tf.constant(prompt, tf.int32)[None, :]
    states = _read(streaming, tokens[:, :-1], model.initial_states(streaming, 1))
    seen = np.zeros((1, streaming.outputs[0].shape[-1]), bool)
    seen[0, prompt] = True
    return tokens[:, -1], states, tf.constant(seen)


def penalised(logits: tf.Tensor, seen: tf.Tensor, penalty: tf.Tensor) -> tf.Tensor:
    """Logits (batch, vocabulary) with those of `seen` tokens, bool likewise, made smaller.

    Keskar et al. (2019, section 4.1) divide by the penalty, which would favour a token of negative
    logit: such a one is multiplied. A penalty of 1 changes no bit.
    """
    return tf.where(seen, tf.where(logits > 0, logits / penalty, logits * penalty), logits)


@tf.function(autograph=False, reduce_retracing=True)
def _read(streaming: keras.Model, tokens: tf.Tensor, states: list[tf.Tensor]) -> list:
    return sampling.read(streaming, tokens, states)


@tf.function(autograph=False, reduce_retracing=True)
def _draw(
    streaming: keras.Model,
    token: tf.Tensor,
    states: list[tf.Tensor],
    seen: tf.Tensor,
    penalty: tf.Tensor,
    uniforms: tf.Tensor,
    *options: tf.Tensor,
) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor]:
    """One token for each of uniforms (1, tokens); int32 [tokens], then states and seen tokens."""
    count = tf.shape(uniforms)[1]

    def advance(
        index: tf.Tensor,
        token: tf.Tensor,
        states: list[tf.Tensor],
        seen: tf.Tensor,
        tokens: tf.TensorArray,
    ) -> tuple:
        logits, states = model.step(streaming, token, states)
        logits = penalised(logits, seen, penalty)
        token = sampling.next_token(logits, uniforms[:, index], *options)
        seen = seen | tf.one_hot(token, tf.shape(seen)[1], True, False)
        return index + 1, token, states, seen, tokens.write(index, token)

    array = tf.TensorArray(tf.int32, count, element_shape=[1])
    _, _, states, seen, array = tf.while_loop(
        lambda index, *_: index < count, advance, (0, token, states, seen, array)
    )
    return array.concat(), states, seen
