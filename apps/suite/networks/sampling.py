"""Draws the next token of a language model, and whole continuations, in predict and when served.

A language model is given as two things: the streaming network, which reads tokens int32 (batch,
time) and states and answers logits and states; and a `Step`, the task's function that reads one
token of each row without the loop over time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from apps.suite.texts import pieces, tokenizer

Step = Callable[
    [keras.Model, tf.Tensor, list[tf.Tensor]],
    tuple[tf.Tensor, list[tf.Tensor]],
]
"""(network, tokens int32 (batch,), states) to logits float32 (batch, vocabulary) and new states."""

WINDOW_TOKENS = 256  # of a row, read in one call of the model, which bounds its memory
_TOKENS_AT_ONCE = 2**15  # of all rows
_BLOCK = 256  # uniform numbers that one call draws; a change of it changes every seeded text


def next_token(
    logits: tf.Tensor,
    uniform: tf.Tensor,
    temperature: tf.Tensor,
    top_k: tf.Tensor,
    top_p: tf.Tensor,
) -> tf.Tensor:
    """Draws one token a row by inverting the distribution function over the sorted tokens.

    Logits are divided by the temperature; then the `top_k` most probable tokens are kept (Fan et
    al. 2018); then, of their distribution, the smallest set of most probable tokens that holds
    `top_p` (Holtzman et al. 2020), one token at least. Of equal logits the lower id is first.
    The unknown, id 0, is never drawn.

    Args:
        logits: float32 (batch, vocabulary).
        uniform: float32 (batch,), in [0, 1).
        temperature: float32 (batch,); 0 takes the most probable token.
        top_k: int32 (batch,); 0 keeps all.
        top_p: float32 (batch,); 1 keeps all.

    Returns:
        Token ids, int32 (batch,).
    """
    count = tf.shape(logits)[1] - 1
    ordered, order = tf.math.top_k(logits[:, 1:], k=count)
    greedy = temperature == 0
    divisor = tf.where(greedy, 1.0, temperature)
    # Taken off before the division: a tiny temperature then ends in -inf and not in inf - inf.
    scaled = (ordered - ordered[:, :1]) / divisor[:, None]
    rank = tf.range(count)[None, :]
    in_top_k = (top_k == 0)[:, None] | (rank < top_k[:, None])
    probabilities = tf.nn.softmax(tf.where(in_top_k, scaled, -float("inf")))
    more_probable = tf.cumsum(probabilities, axis=1, exclusive=True)
    in_top_p = (rank == 0) | (top_p >= 1)[:, None] | (more_probable < top_p[:, None])
    probabilities = tf.where(in_top_p, probabilities, 0.0)
    cumulative = tf.cumsum(probabilities, axis=1)
    passed = cumulative <= uniform[:, None] * cumulative[:, -1:]
    # Rounding may push the product up to the sum itself, past the last token.
    last = tf.reduce_sum(tf.cast(probabilities > 0, tf.int32), axis=1) - 1
    place = tf.minimum(tf.reduce_sum(tf.cast(passed, tf.int32), axis=1), last)
    place = tf.where(greedy, 0, place)
    return tf.gather(order, place, batch_dims=1) + 1


def uniform_draws(seed: tf.Tensor, count: tf.Tensor | int) -> tf.Tensor:
    """Draws numbers in [0, 1), float32 (batch, count), for seeds int64 (batch,).

    Number n of a row is a function of its seed and n alone: neither the other rows nor the count
    changes it.
    """
    batch, blocks = tf.shape(seed)[0], (count + _BLOCK - 1) // _BLOCK
    block = tf.tile(tf.range(tf.cast(blocks, tf.int64)), [batch])
    drawn = tf.map_fn(
        # By its name, as the best algorithm for a device is another one on another device.
        lambda key: tf.random.stateless_uniform([_BLOCK], key, alg="philox"),
        tf.stack([tf.repeat(seed, blocks), block], axis=1),
        fn_output_signature=tf.TensorSpec([_BLOCK], tf.float32),
    )
    return tf.reshape(drawn, [batch, blocks * _BLOCK])[:, :count]


def start_tokens(tokenizer: tokenizer.Tokenizer) -> np.ndarray:
    """Returns what an empty prompt continues: a line feed or, where that is unknown, id 1.

    Returns:
        int32 [1].
    """
    return np.maximum(tokenizer.encode("\n")[:1], 1)


def initial_states(streaming: keras.Model, batch_size: int | tf.Tensor) -> list[tf.Tensor]:
    """Returns the states before the first token: zeros, in the order of the network's inputs."""
    return [tf.zeros((batch_size, state.shape[-1])) for state in streaming.inputs[1:]]


def window_tokens(rows: tf.Tensor) -> tf.Tensor:
    """Returns how many tokens of each row are read in one call, int32: fewer of very many rows."""
    return tf.clip_by_value(_TOKENS_AT_ONCE // tf.maximum(rows, 1), 1, WINDOW_TOKENS)


def read(streaming: keras.Model, tokens: tf.Tensor, states: list[tf.Tensor]) -> list[tf.Tensor]:
    """Returns the states after tokens int32 (batch, time), none as well, without their logits.

    One call of the network reads many tokens; a `Step` on one after the other gives the same.

    Args:
        streaming: the network.
        tokens: the next ones of each row.
        states: as `initial_states` returns them.
    """
    count, window = tf.shape(tokens)[1], window_tokens(tf.shape(tokens)[0])

    def advance(start: tf.Tensor, before: list[tf.Tensor]) -> tuple:
        end = tf.minimum(start + window, count)
        _, *after = streaming([tokens[:, start:end], *before], training=False)
        return end, after

    return tf.while_loop(lambda start, _: start < count, advance, (0, states))[1]


def generate(
    streaming: keras.Model,
    prompts: tf.RaggedTensor,
    start: np.ndarray,
    length: tf.Tensor,
    temperature: tf.Tensor,
    top_k: tf.Tensor,
    top_p: tf.Tensor,
    seed: tf.Tensor,
    *,
    step: Step,
) -> tf.RaggedTensor:
    """Continues each prompt by `length` tokens, in one loop over the positions of all rows.

    The loop begins where the shortest prompt ends; what stands before is read many tokens a call.
    A row's tokens depend on its own prompt, options and seed, not on the other rows; and a longer
    continuation begins with the shorter one.

    Args:
        streaming: the network.
        prompts: int32 [batch, (tokens)]; an empty row continues `start`.
        start: int32 [1], see `start_tokens`.
        length: int32, tokens to generate.
        temperature, top_k, top_p: float32, int32, float32; see `next_token`.
        seed: int64. It and all the options are scalars, or (batch,) with a value for each row.
        step: the task's function.

    Returns:
        Token ids without those of the prompt, int32 [batch, (tokens)].

    Raises:
        tf.errors.InvalidArgumentError: an option out of its range.
    """
    batch = prompts.nrows(out_type=tf.int32)
    options = _checked(length, temperature, top_k, top_p)
    length, temperature, top_k, top_p, seed = (
        tf.broadcast_to(option, [batch]) for option in (*options, seed)
    )
    prompt_length = tf.maximum(tf.cast(prompts.row_lengths(), tf.int32), 1)
    given = tf.concat([prompts.to_tensor(), tf.zeros([batch, 1], tf.int32)], axis=1)
    given = tf.where((prompts.row_lengths() == 0)[:, None], start, given)
    most = tf.reduce_max(tf.concat([length, [1]], 0))
    begin = tf.reduce_min(tf.concat([prompt_length - 1, tf.shape(given)[1:] - 1], 0))
    end = tf.reduce_max(tf.concat([prompt_length + length - 1, [begin + 1]], 0))
    draws = uniform_draws(seed, most)

    def advance(
        position: tf.Tensor, token: tf.Tensor, states: list[tf.Tensor], tokens: tf.TensorArray
    ) -> tuple:
        logits, states = step(streaming, token, states)
        generated = position + 1 - prompt_length  # the index of the token that follows; < 0: given
        uniform = tf.gather(draws, tf.clip_by_value(generated, 0, most - 1), batch_dims=1)
        drawn = next_token(logits, uniform, temperature, top_k, top_p)
        prompt = given[:, tf.minimum(position + 1, tf.shape(given)[1] - 1)]
        token = tf.where(generated < 0, prompt, drawn)
        return position + 1, token, states, tokens.write(position - begin, token)

    states = read(streaming, given[:, :begin], initial_states(streaming, batch))
    first = given[:, begin]
    array = tf.TensorArray(tf.int32, end - begin, element_shape=first.shape)
    *_, array = tf.while_loop(
        lambda position, *_: position < end, advance, (begin, first, states, array)
    )
    places = tf.ragged.range(prompt_length - 1 - begin, prompt_length - 1 - begin + length)
    rows = tf.cast(places.value_rowids(), tf.int32)
    return places.with_values(tf.gather(array.concat(), places.values * batch + rows))


def _checked(
    length: tf.Tensor, temperature: tf.Tensor, top_k: tf.Tensor, top_p: tf.Tensor
) -> list[tf.Tensor]:
    """Returns the options as tensors, after assertions that a server answers as a bad request."""
    length, temperature, top_k, top_p = (
        tf.convert_to_tensor(value, dtype)
        for value, dtype in (
            (length, tf.int32),
            (temperature, tf.float32),
            (top_k, tf.int32),
            (top_p, tf.float32),
        )
    )
    checks = [
        tf.debugging.assert_non_negative(length, "length must be at least 0"),
        tf.debugging.assert_non_negative(temperature, "temperature must be at least 0"),
        tf.debugging.assert_non_negative(top_k, "top_k must be at least 0"),
        tf.debugging.assert_positive(top_p, "top_p must be above 0"),
        tf.debugging.assert_less_equal(top_p, 1.0, "top_p must be at most 1"),
    ]
    with tf.control_dependencies([check for check in checks if check is not None]):
        return [tf.identity(value) for value in (length, temperature, top_k, top_p)]


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
    step: Step,
) -> Iterator[np.ndarray]:
    """Yields `length` tokens, those of `generate` where nothing is penalised.

    Args:
        streaming: the network.
        prompt: int32 [tokens], one at least.
        length: tokens to draw.
        temperature, top_k, top_p: see `next_token`.
        seed: of 64 bits.
        repetition_penalty: see `penalised`; tokens of the prompt count as seen.
        step: the task's function.

    Yields:
        int32 [some], in the order in which they were drawn.
    """
    options = [
        tf.constant([value], dtype)
        for value, dtype in ((temperature, tf.float32), (top_k, tf.int32), (top_p, tf.float32))
    ]
    penalty = tf.constant(repetition_penalty, tf.float32)
    uniforms = uniform_draws(tf.constant([seed], tf.int64), length)
    token, states, seen = read_prompt(streaming, prompt)
    for start in range(0, length, _TOKENS_A_CALL):
        draws = uniforms[:, start : start + _TOKENS_A_CALL]
        tokens, states, seen = _draw(streaming, step, token, states, seen, penalty, draws, *options)
        token = tokens[-1:]
        yield tokens.numpy()


def texts(blocks: Iterable[np.ndarray], tokenizer: tokenizer.Tokenizer) -> Iterator[str]:
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
    """Returns the prompt's last token int32 (1,), the states before it, and the tokens seen."""
    tokens = tf.constant(prompt, tf.int32)[None, :]
    states = _read(streaming, tokens[:, :-1], initial_states(streaming, 1))
    seen = np.zeros((1, streaming.outputs[0].shape[-1]), bool)
    seen[0, prompt] = True
    return tokens[:, -1], states, tf.constant(seen)


def penalised(logits: tf.Tensor, seen: tf.Tensor, penalty: tf.Tensor) -> tf.Tensor:
    """Returns logits (batch, vocabulary) with those of `seen` tokens, bool likewise, made smaller.

    Keskar et al. (2019, section 4.1) divide by the penalty, which would favour a token of negative
    logit: such a one is multiplied. A penalty of 1 changes no bit.
    """
    return tf.where(seen, tf.where(logits > 0, logits / penalty, logits * penalty), logits)


@tf.function(autograph=False, reduce_retracing=True)
def _read(streaming: keras.Model, tokens: tf.Tensor, states: list[tf.Tensor]) -> list:
    return read(streaming, tokens, states)


@tf.function(autograph=False, reduce_retracing=True)
def _draw(
    streaming: keras.Model,
    step: Step,
    token: tf.Tensor,
    states: list[tf.Tensor],
    seen: tf.Tensor,
    penalty: tf.Tensor,
    uniforms: tf.Tensor,
    *options: tf.Tensor,
) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor]:
    """Draws a token for each of uniforms (1, tokens); int32 [tokens], states and seen tokens."""
    count = tf.shape(uniforms)[1]

    def advance(
        index: tf.Tensor,
        token: tf.Tensor,
        states: list[tf.Tensor],
        seen: tf.Tensor,
        tokens: tf.TensorArray,
    ) -> tuple:
        logits, states = step(streaming, token, states)
        logits = penalised(logits, seen, penalty)
        token = next_token(logits, uniforms[:, index], *options)
        seen = seen | tf.one_hot(token, tf.shape(seen)[1], True, False)
        return index + 1, token, states, seen, tokens.write(index, token)

    array = tf.TensorArray(tf.int32, count, element_shape=[1])
    _, _, states, seen, array = tf.while_loop(
        lambda index, *_: index < count, advance, (0, token, states, seen, array)
    )
    return array.concat(), states, seen
