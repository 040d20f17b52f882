"""Smooths the labels of steps over time, so that they do not flicker.

A label lasts: from a step to the next one it stays, but for a share c of changes, which go to all
of K labels alike. The network's probabilities p_t are the evidence, weighted down by w because
steps side by side tell the same again:

    e_t = p_t^w                                           1 at a step without a value
    f_t ∝ e_t ((1 - c) f_(t-1) + c / K)                   forwards, f_0 = 1 / K
    b_t ∝ (1 - c) u_t + c mean(u_t),  u_t = e_(t+1) b_(t+1)      backwards, 1 at the end
    q_t ∝ f_t b_t                                         what is answered

This is the forward-backward algorithm of a hidden Markov model (Rabiner 1989). It needs the whole
sequence. Padding on either side changes nothing.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from apps.suite.evaluation import segments
from apps.suite.sequences import ragged

WEIGHTS = (0.1, 0.03, 0.01, 0.003)
CHANGES = (1e-2, 1e-3, 1e-4, 1e-5)
_LEAST = 1e-6  # probability that counts as evidence
_ALIKE = 0.01  # scores nearer than this are equal: the more honest probabilities win


class Smoothing(NamedTuple):
    """Weight of the evidence w, and share of changes from step to step c."""

    weight: float
    changes: float


def smoothed(
    probabilities: tf.Tensor, counted: tf.Tensor, weight: tf.Tensor, changes: tf.Tensor
) -> tf.Tensor:
    """Computes q, float32 (batch, time, labels), in TensorFlow.

    Args:
        probabilities: p, float32 (batch, time, labels).
        counted: bool (batch, time), False at steps without any value.
        weight, changes: w and c, scalars or (batch, 1).
    """
    weight, changes = tf.cast(weight, tf.float32), tf.cast(changes, tf.float32)
    exponent = weight[..., None] if weight.shape.rank else weight
    # Not tf.maximum: NaN of a training that diverged has to stay NaN
    evidence = tf.where(probabilities < _LEAST, _LEAST, probabilities) ** exponent
    evidence = tf.where(counted[..., None], evidence, 1.0)
    evidence = tf.transpose(evidence, [1, 0, 2])

    def moved(state: tf.Tensor) -> tf.Tensor:
        mean = tf.reduce_mean(state, axis=-1, keepdims=True)
        return _shares((1 - changes) * state + changes * mean)

    start = _shares(tf.ones_like(evidence[0]))
    forwards = tf.scan(lambda state, each: _shares(each * moved(state)), evidence, start)
    later = tf.concat([evidence[1:], start[None]], axis=0)
    backwards = tf.scan(lambda state, each: moved(each * state), later, start, reverse=True)
    return tf.transpose(_shares(forwards * backwards), [1, 0, 2])


def _shares(values: tf.Tensor) -> tf.Tensor:
    return values / tf.reduce_sum(values, axis=-1, keepdims=True)


def chosen(
    sequences: ragged.Sequences, labels: np.ndarray, probabilities: np.ndarray
) -> tuple[Smoothing | None, str]:
    """Returns the smoothing that serves a validation part best, and words on it.

    Best is the sum of accuracy and of F1 of segments that overlap by half; of those within 0.01,
    the one with the lowest cross entropy. None where no smoothing is better than all others.

    Args:
        sequences: of the part.
        labels: int [steps], -1 where there is none.
        probabilities: of the network, float32 [steps, labels].
    """
    settings = [Smoothing(*each) for each in itertools.product(WEIGHTS, CHANGES)]
    weights, changes = (np.array(each)[:, None] for each in zip(*settings, strict=True))
    p = np.asarray(probabilities, np.float32)
    counted = np.isfinite(sequences.values).any(axis=1)
    function = tf.function(smoothed, reduce_retracing=True)
    # Of each setting, none first, the answers and the sum of -ln p: the shares would need room
    answers = np.empty((1 + len(settings), len(labels)), np.int32)
    entropies = np.zeros(1 + len(settings))
    for rows in map(sequences.rows, range(len(sequences))):
        of_all = [np.repeat(each[None, rows], len(settings), axis=0) for each in (p, counted)]
        found = function(*map(tf.constant, (*of_all, weights, changes))).numpy()
        found = np.concatenate([p[None, rows], found])
        answers[:, rows] = found.argmax(axis=-1)
        known = labels[rows] >= 0
        right = found[:, known, labels[rows][known]]
        entropies -= np.log(np.maximum(right, 1e-30)).sum(axis=1)
    scores = np.array([_score(sequences, labels, each) for each in answers])
    good = np.flatnonzero(scores >= scores.max() - _ALIKE)
    best = int(good[entropies[good].argmin()])
    if not best:
        return None, "labels are not smoothed over time: it serves the validation part nothing"
    setting = settings[best - 1]
    return setting, (
        f"labels are smoothed over time, weight {setting.weight:g}, changes {setting.changes:g}: "
        f"the mean of accuracy and F1@50 on the validation part goes from {scores[0] / 2:.3f} to "
        f"{scores[best] / 2:.3f}"
    )


def _score(sequences: ragged.Sequences, labels: np.ndarray, answers: np.ndarray) -> float:
    """Returns accuracy and F1@50 together."""
    known = labels >= 0
    pairs = zip(sequences.pieces(labels), sequences.pieces(answers), strict=True)
    accuracy = float(np.mean(answers[known] == labels[known]))
    return accuracy + segments.scores(pairs)["f1_at_50"]
