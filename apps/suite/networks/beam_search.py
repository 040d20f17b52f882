"""Searches in a beam for the most probable continuation of a prompt."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from apps.suite.networks import sampling


def search(
    streaming: keras.Model,
    prompt: np.ndarray,
    length: int,
    width: int,
    repetition_penalty: float = 1.0,
    *,
    step: sampling.Step,
) -> tuple[np.ndarray, float]:
    """Keeps the `width` most probable beginnings at each of `length` steps.

    All continuations have one length, so that their probabilities need no normalisation. A width
    of 1 is greedy. The unknown is left out of the distribution, as it is in sampling.

    Args:
        streaming: the network.
        prompt: int32 [tokens], one at least.
        repetition_penalty: see `sampling.penalised`; probabilities are those after it.
        step: the task's function.

    Returns:
        Token ids int32 [length], and ln of their probability given the prompt.
    """
    token, states, seen = sampling.read_prompt(streaming, prompt)
    token, seen, *states = (tf.repeat(values, width, axis=0) for values in (token, seen, *states))
    # The beams are still the same: all but one are out of the first choice.
    scores = tf.constant([0.0] + [-float("inf")] * (width - 1))
    penalty = tf.constant(repetition_penalty, tf.float32)
    chosen = []
    for _ in range(length):
        parent, token, scores, seen, states = _advance(
            streaming, step, token, states, seen, scores, penalty
        )
        chosen.append((parent.numpy(), token.numpy()))
    beam, ids = 0, np.zeros(length, np.int32)
    for index in reversed(range(length)):
        parents, tokens = chosen[index]
        ids[index] = tokens[beam]
        beam = parents[beam]
    return ids, float(scores[0])


@tf.function(autograph=False, reduce_retracing=True)
def _advance(
    streaming: keras.Model,
    step: sampling.Step,
    token: tf.Tensor,
    states: list[tf.Tensor],
    seen: tf.Tensor,
    scores: tf.Tensor,
    penalty: tf.Tensor,
) -> tuple:
    """Returns the best beams, best first: origin, token, score and state of each."""
    logits, states = step(streaming, token, states)
    logits = sampling.penalised(logits, seen, penalty)[:, 1:]
    totals = scores[:, None] + tf.nn.log_softmax(logits)
    count = tf.shape(logits)[1]
    scores, place = tf.math.top_k(tf.reshape(totals, [-1]), k=tf.shape(scores)[0])
    parent, token = place // count, place % count + 1
    seen = tf.gather(seen, parent) | tf.one_hot(token, count + 1, True, False)
    return parent, token, scores, seen, [tf.gather(state, parent) for state in states]
