"""Searches in a beam for the most probable sequence of tokens, for many rows at once.

`search` is one loop of stock TensorFlow operations over tensors of fixed rank, for a `tf.function`
and a SavedModel alike. Each row keeps two sets of at most `width` sequences, those that are alive
and those that ended. At every step

    total(k, v) = log p(sequence k) + log p(v | sequence k)         alive k, every token v

the 2 · width best candidates are taken; of them the ones that end, and are among the `width` best,
compete for the finished set by their score, and the `width` best of the others stay alive.

    score = log p / ((5 + length) / 6) ** length_penalty            length counts the end

A row is done when nothing alive can score more than the worst that it has finished, even with the
penalty of the longest length that is allowed, since a score may grow with the length; or when it
is at that length. A width of 1 is greedy: a row is done when the end is its best candidate.

Nothing of a row depends on the other rows: what it has finished stays as it is while the others go
on. Of equal candidates the one of the better beam, then of the lower id is taken.

Sources: Wu et al., "Google's neural machine translation system", 2016, section 7, for the penalty;
Vaswani et al., "Tensor2Tensor for neural machine translation", 2018, for the two sets; Paulus et
al., "A deep reinforced model for abstractive summarization", 2018, section 2.5, for n-grams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.suite.networks import sampling

Step = Callable[[tf.Tensor, list[tf.Tensor]], tuple[tf.Tensor, list[tf.Tensor]]]
"""(tokens int32 (batch, beams), states (batch, beams, …)) to ln p float32 (batch, beams,
vocabulary) of the next token, and the new states. What all beams of a row share, as a memory
that they attend to, stays in the function."""

LARGEST_WIDTH = 16  # bounds the memory of a request
_NOTHING = -float("inf")


class Found(NamedTuple):
    """Sequences that a search found, the best first.

    Attributes:
        tokens: int32 (batch, width, longest), without start and end, padded with 0.
        lengths: int32 (batch, width), tokens without the end.
        scores: float32 (batch, width), -inf where there are fewer sequences than `width`.
        log_probabilities: float32 (batch, width), ln p with the end.
    """

    tokens: tf.Tensor
    lengths: tf.Tensor
    scores: tf.Tensor
    log_probabilities: tf.Tensor


class _Rules(NamedTuple):
    """Options as tensors, those of rows as (batch, 1)."""

    end: int
    width: tf.Tensor
    longest: tf.Tensor
    shortest: tf.Tensor
    penalty: tf.Tensor
    repeated: int
    forbidden: tuple[int, ...]


class _Alive(NamedTuple):
    tokens: tf.Tensor  # int32 (batch, width, longest)
    last: tf.Tensor  # int32 (batch, width)
    log_p: tf.Tensor  # float32 (batch, width), -inf: no sequence
    states: list[tf.Tensor]  # (batch, width, …)


def search(
    step: Step,
    states: Sequence[tf.Tensor],
    *,
    start: int | tf.Tensor,
    end: int,
    width: int | tf.Tensor,
    longest: int | tf.Tensor,
    shortest: int | tf.Tensor = 0,
    length_penalty: float | tf.Tensor = 0.0,
    repeated: int = 0,
    forbidden: Sequence[int] = (),
    largest_width: int = LARGEST_WIDTH,
) -> Found:
    """Finds the sequences of the highest scores for each row.

    Args:
        step: the network.
        states: of each row before the first token, (batch, …): each beam gets a copy.
        start: the first token that is read; one for all, or int32 (batch,).
        end: the token that ends a sequence.
        width: beams of a row, 1 to `largest_width`.
        longest: tokens at most, without the end, which then follows whatever its probability is;
            one for all, or int32 (batch,).
        shortest: tokens at least, likewise.
        length_penalty: 0 compares ln p as it is; one for all, or float32 (batch,).
        repeated: length of n-grams of which no sequence gets one twice; 0 = any may be repeated.
        forbidden: tokens that are never taken.
        largest_width: of which a wider beam is refused.

    Returns:
        See `Found`. A sequence to which every token is forbidden ends, however short it is.

    Raises:
        ValueError: a number out of its range; of a tensor, tf.errors.InvalidArgumentError.
    """
    batch = tf.shape(states[0])[0]
    width, longest, shortest, penalty = _checked(
        batch, width, longest, shortest, length_penalty, largest_width
    )
    rules = _Rules(end, width, longest, shortest, penalty, repeated, tuple(forbidden))
    # An empty batch has no longest row
    most = tf.reduce_max(tf.concat([tf.reshape(longest, [-1]), [0]], axis=0))
    start = tf.broadcast_to(tf.convert_to_tensor(start, tf.int32), [batch])
    tokens = tf.zeros(tf.stack([batch, width, most]), tf.int32)
    nothing = tf.fill(tf.stack([batch, width]), _NOTHING)
    # The beams are still the same: all but one are out of the first choice
    first = tf.where(tf.range(width) == 0, 0.0, nothing)
    alive = _Alive(
        tokens,
        tf.repeat(start[:, None], width, axis=1),
        first,
        [tf.repeat(state[:, None], width, axis=1) for state in states],
    )
    found = Found(tokens, tf.zeros_like(alive.last), nothing, nothing)

    def advance(number: tf.Tensor, done: tf.Tensor, alive: _Alive, found: Found) -> tuple:
        before, (alive, ended) = found, _advanced(step, rules, number, alive)
        found = _best_of(before, ended, rules.width)
        found = Found(
            *(
                tf.where(tf.reshape(done, [-1, *[1] * (old.shape.rank - 1)]), old, new)
                for old, new in zip(before, found, strict=True)
            )
        )
        done = done | _is_done(rules, alive, found)
        return number + 1, done, alive, found

    *_, found = tf.while_loop(
        lambda number, done, *_: (number <= most) & ~tf.reduce_all(done),
        advance,
        (tf.constant(0), tf.zeros([batch], tf.bool), alive, found),
        shape_invariants=_shapes(alive, found),
    )
    return found


def _advanced(step: Step, rules: _Rules, number: tf.Tensor, alive: _Alive) -> tuple[_Alive, Found]:
    """Returns what stays alive after token `number` (from 0), and what ends with it."""
    log_p, states = step(alive.last, alive.states)
    log_p = _allowed(tf.cast(log_p, tf.float32), rules, number, alive.tokens)
    size = log_p.shape[2]
    totals = tf.reshape(alive.log_p[..., None] + log_p, tf.stack([-1, rules.width * size]))
    totals, place = tf.math.top_k(totals, k=tf.minimum(2 * rules.width, rules.width * size))
    parent, token = place // size, place % size
    ends = (token == rules.end) & (totals > _NOTHING)

    among_best = tf.range(tf.shape(totals)[1]) < rules.width
    ended_p = tf.where(ends & among_best, totals, _NOTHING)
    lengths = tf.fill(tf.shape(token), number)
    penalty = _penalty(rules, lengths + 1)
    tokens = tf.gather(alive.tokens, parent, batch_dims=1)
    ended = Found(tokens, lengths, ended_p / penalty, ended_p)

    kept_p, kept = tf.math.top_k(tf.where(ends, _NOTHING, totals), k=rules.width)
    parent, token, tokens = (
        tf.gather(each, kept, batch_dims=1) for each in (parent, token, tokens)
    )
    token = tf.where(kept_p > _NOTHING, token, 0)  # any that the network knows, of no sequence
    here = tf.range(tf.shape(tokens)[2]) == number
    alive = _Alive(
        tf.where(here, token[..., None], tokens),
        token,
        kept_p,
        [tf.gather(state, parent, batch_dims=1) for state in states],
    )
    return alive, ended


def _allowed(log_p: tf.Tensor, rules: _Rules, number: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
    """Returns ln p (batch, beams, vocabulary), -inf for tokens that may not follow."""
    is_end = np.arange(log_p.shape[2]) == rules.end
    never = np.isin(np.arange(log_p.shape[2]), rules.forbidden)
    others = tf.where(never | is_end, _NOTHING, log_p)
    others = _unrepeated(others, rules, number, tokens)
    others = tf.where((number >= rules.longest)[..., None], _NOTHING, others)
    stuck = tf.reduce_all(others == _NOTHING, axis=2, keepdims=True)
    may_end = (number >= rules.shortest)[..., None] | stuck
    return tf.where(is_end & may_end, log_p, others)


def _unrepeated(log_p: tf.Tensor, rules: _Rules, number: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
    """Returns ln p, -inf for tokens that would repeat an n-gram of their sequence."""
    count, size = rules.repeated, log_p.shape[2]
    if not count:
        return log_p
    most = tf.shape(tokens)[2]
    begins = tf.range(tf.maximum(most - count + 1, 0))  # of the n-grams that may be there already
    same = tf.broadcast_to(
        begins <= number - count, tf.concat([tf.shape(tokens)[:2], tf.shape(begins)], axis=0)
    )
    padded = tf.pad(tokens, [[0, 0], [0, 0], [0, 1]])  # there may be no token at all
    for place in range(count - 1):
        last = padded[:, :, tf.clip_by_value(number - count + 1 + place, 0, most)]
        same &= tf.gather(padded, begins + place, axis=2) == last[..., None]
    # What closes no repeated n-gram falls into a column of its own, which is cut off
    column = tf.where(same, tf.gather(padded, begins + count - 1, axis=2), size)
    sequences = tf.shape(tokens)[0] * tf.shape(tokens)[1]
    row = tf.repeat(tf.range(sequences), tf.size(begins))
    indices = tf.stack([row, tf.reshape(column, [-1])], axis=1)
    hits = tf.scatter_nd(indices, tf.ones_like(row), tf.stack([sequences, size + 1]))[:, :size]
    return tf.where(tf.reshape(hits, tf.shape(log_p)) > 0, _NOTHING, log_p)


def _penalty(rules: _Rules, lengths: tf.Tensor) -> tf.Tensor:
    """Returns what ln p of sequences of these lengths, the end counted, is divided by."""
    return ((5.0 + tf.cast(lengths, tf.float32)) / 6.0) ** rules.penalty


def _best_of(found: Found, ended: Found, width: tf.Tensor) -> Found:
    """Returns the best of what was and what is new; of equals, what was there before."""
    both = [tf.concat(pair, axis=1) for pair in zip(found, ended, strict=True)]
    _, best = tf.math.top_k(both[2], k=width)
    return Found(*(tf.gather(each, best, batch_dims=1) for each in both))


def _is_done(rules: _Rules, alive: _Alive, found: Found) -> tf.Tensor:
    """Returns for each row whether nothing that is alive can change what it has found."""
    reachable = tf.reduce_max(alive.log_p, axis=1) / _penalty(rules, rules.longest + 1)[:, 0]
    done = reachable <= tf.reduce_min(found.scores, axis=1)
    greedy = (rules.width == 1) & (found.scores[:, 0] > _NOTHING)
    return done | greedy


def _checked(
    batch: tf.Tensor,
    width: int | tf.Tensor,
    longest: int | tf.Tensor,
    shortest: int | tf.Tensor,
    penalty: float | tf.Tensor,
    largest_width: int,
) -> tuple[tf.Tensor, ...]:
    """Returns the width, and the others as (batch, 1), after assertions."""
    told = (
        f"beam_width must be from 1 to {largest_width}",
        "the longest length must be at least 0",
        "the shortest length must be at least 0",
        "length_penalty must be at least 0",
    )
    given = (width, longest, shortest, penalty)
    least = (1, 0, 0, 0)
    for value, low, text in zip(given, least, told, strict=True):
        if not tf.is_tensor(value) and np.any(np.less(value, low)):
            raise ValueError(f"{text}, got {value}")
    if not tf.is_tensor(width) and width > largest_width:
        raise ValueError(f"{told[0]}, got {width}")
    dtypes = (tf.int32, tf.int32, tf.int32, tf.float32)
    tensors = [tf.convert_to_tensor(*pair) for pair in zip(given, dtypes, strict=True)]
    checks = [
        tf.debugging.assert_greater_equal(value, tf.cast(low, value.dtype), text)
        for value, low, text in zip(tensors, least, told, strict=True)
    ]
    checks.append(tf.debugging.assert_less_equal(tensors[0], largest_width, told[0]))
    with tf.control_dependencies([check for check in checks if check is not None]):
        width, *others = (tf.identity(value) for value in tensors)
        return width, *(
            tf.broadcast_to(tf.reshape(value, [-1]), [batch])[:, None] for value in others
        )


def _shapes(alive: _Alive, found: Found) -> tuple:
    """Returns the shapes of the loop's variables: batch, width and longest length are free."""

    def free(value: tf.Tensor) -> tf.TensorShape:
        return tf.TensorShape([None, None, *value.shape[2:]])

    tokens, rows, scalar = (tf.TensorShape([None] * rank) for rank in (3, 1, 0))
    pair = tf.TensorShape([None, None])
    return (
        scalar,
        rows,
        _Alive(tokens, pair, pair, [free(state) for state in alive.states]),
        Found(tokens, *[pair] * (len(found) - 1)),
    )


def continuation(
    streaming: keras.Model,
    prompt: np.ndarray,
    length: int,
    width: int,
    repetition_penalty: float = 1.0,
    *,
    step: sampling.Step,
) -> tuple[np.ndarray, float]:
    """Finds the most probable continuation of a prompt that has `length` tokens.

    All continuations have one length, so that their probabilities need no normalisation. A width
    of 1 is greedy. The unknown is left out of the distribution, as it is in sampling.

    Args:
        streaming: the language model.
        prompt: int32 [tokens], one at least.
        length: tokens to find.
        width: of the beam, of any size.
        repetition_penalty: see `sampling.penalised`; probabilities are those after it.
        step: the task's function.

    Returns:
        Token ids int32 [length], and ln of their probability given the prompt.
    """
    found = _continued(
        streaming,
        step,
        *sampling.read_prompt(streaming, prompt),
        tf.constant(length),
        tf.constant(width),
        tf.constant(repetition_penalty, tf.float32),
    )
    return found.tokens[0, 0].numpy(), float(found.log_probabilities[0, 0])


@tf.function(autograph=False, reduce_retracing=True)
def _continued(
    streaming: keras.Model,
    step: sampling.Step,
    token: tf.Tensor,
    states: list[tf.Tensor],
    seen: tf.Tensor,
    length: tf.Tensor,
    width: tf.Tensor,
    penalty: tf.Tensor,
) -> Found:
    end = seen.shape[1]  # a token that the language model lacks, certain after the last one

    def of_beams(tokens: tf.Tensor, states: list[tf.Tensor]) -> tuple:
        beams = tf.unstack(tf.shape(tokens))
        *before, seen = (tf.reshape(each, [-1, each.shape[-1]]) for each in states)
        token = tf.reshape(tokens, [-1])
        seen |= tf.one_hot(token, end, True, False)
        logits, after = step(streaming, token, before)
        log_p = tf.nn.log_softmax(sampling.penalised(logits, seen, penalty)[:, 1:])
        log_p = tf.pad(log_p, [[0, 0], [1, 1]])  # the unknown, and the end
        log_p, *after = (
            tf.reshape(each, tf.stack([*beams, each.shape[-1]])) for each in (log_p, *after, seen)
        )
        return log_p, after

    return search(
        of_beams,
        [*states, seen],
        start=token,
        end=end,
        width=width,
        longest=length,
        shortest=length,
        forbidden=(0,),
        largest_width=np.iinfo(np.int32).max,
    )
