"""Counts n-grams with modified Kneser-Ney smoothing, on the model's own tokens.

For a token w after a context h, with h' the context without its first token and c the counts,

    p(w | h) = (c(h w) - D(c(h w)) + (D(h) + s) p(w | h')) / (c(h) + s)

where D(1), D(2), D(3 and more) are discounts, D(h) is what they took from h in all, and the empty
context ends in 1 / vocabulary size. Below the highest order, c counts in how many different
contexts an n-gram was seen (Kneser and Ney 1995); the discounts come from the counts of counts
(Chen and Goodman 1999, equation 17). The strength s of the lower orders beneath the highest one,
and the highest order itself, are chosen on the validation part; the test part is only scored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from apps.text_generation import data

_STRENGTHS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class Scored:
    """Probabilities of every token but the first of each sequence, under one highest order."""

    order: int  # tokens of the longest n-gram; 1 sees no context
    strength: float
    sequences: list[np.ndarray]  # float64 [tokens - 1] each


class Counted(NamedTuple):
    """A baseline: its mean on the validation part, and its nats of each token of the test part."""

    validation_nats: float
    test_nats: np.ndarray  # float64 [tokens - 1]


def evaluate(
    tokens: data.Tokens, vocabulary_size: int, highest_order: int = 9
) -> dict[str, Counted]:
    """Evaluates the unigram and the n-gram whose order is best on the validation part.

    The first token of the test part is context alone, as it is for the model.
    """
    orders = {}
    parts = (tokens.validation, tokens.test)
    for scored in score(tokens.train, parts, vocabulary_size, highest_order):
        validation, test = (-np.log(part) for part in scored.sequences)
        orders[scored.order] = Counted(float(validation.mean()), test)
    best = min(range(2, highest_order + 1), key=lambda order: orders[order].validation_nats)
    return {"unigram": orders[1], f"{best}-gram Kneser-Ney": orders[best]}


def score(
    train: np.ndarray, sequences: Sequence[np.ndarray], vocabulary_size: int, highest_order: int
) -> Iterator[Scored]:
    """Models of order 1, 2, … `highest_order`, learned on int [tokens] and applied to sequences.

    The strength is the one that fits the first of the sequences best.
    """
    # One row of all sequences, kept apart by a symbol that is not a token, so that no context
    # reaches from one into another. An n-gram is a number, made of its context's and its last.
    gap = np.full(highest_order, vocabulary_size)
    row = np.concatenate([part for sequence in (train, *sequences) for part in (gap, sequence)])
    row = row.astype(np.int64)
    learned = slice(len(gap), len(gap) + len(train))
    ends = np.cumsum([len(gap) + len(sequence) for sequence in (train, *sequences)])[1:]
    lengths = [len(sequence) - 1 for sequence in sequences]
    held_out = np.concatenate(
        [np.arange(end - length, end) for end, length in zip(ends, lengths, strict=True)]
    )
    borders = np.cumsum(lengths)[:-1]

    contexts = np.zeros(len(row), np.int64)
    lower = np.full(len(held_out), 1 / vocabulary_size)
    below: tuple[_Grams, np.ndarray] | None = None  # the order below, and its n-grams in the row
    for order in range(1, highest_order + 1):
        keys = contexts * (vocabulary_size + 1) + row
        _, first, grams = np.unique(keys, return_index=True, return_inverse=True)
        level = _Grams(grams[held_out], contexts[held_out], contexts[first])
        seen = first[(first >= learned.start) & (first < learned.stop)]
        if below is not None:
            # In how many contexts one token longer was each n-gram of the order below seen?
            shorter, shorter_grams = below
            endings = np.bincount(shorter_grams[seen], minlength=len(shorter.context_of))
            lower = shorter.probabilities(endings, lower, 0.0)
        counts = np.bincount(grams[learned], minlength=len(first))
        tried = (
            (level.probabilities(counts, lower, strength), strength) for strength in _STRENGTHS
        )
        found, strength = max(tried, key=lambda pair: np.log(pair[0][: lengths[0]]).sum())
        yield Scored(order, strength, np.split(found, borders))
        below = level, grams
        contexts = np.concatenate([[0], grams[:-1]])


@dataclass(frozen=True)
class _Grams:
    """The n-grams of one order: those to be scored, with their contexts, and all contexts."""

    scored: np.ndarray
    scored_contexts: np.ndarray
    context_of: np.ndarray

    def probabilities(self, counts: np.ndarray, lower: np.ndarray, strength: float) -> np.ndarray:
        """Returns the probabilities of n-grams, given their counts in training."""
        discounts = _discounts(counts)[np.minimum(counts, 3)]
        totals = np.bincount(self.context_of, weights=counts)[self.scored_contexts]
        taken = np.bincount(self.context_of, weights=discounts)[self.scored_contexts]
        kept = (counts - discounts)[self.scored]
        known = totals > 0
        totals = np.where(known, totals + strength, 1.0)
        return np.where(known, (kept + (taken + strength) * lower) / totals, lower)


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Returns the discounts of n-grams that were seen 0, 1, 2, 3 or more times."""
    ones, twos, threes, fours = (float(np.sum(counts == n)) for n in (1, 2, 3, 4))
    if not (ones and twos and threes and fours):
        return np.array([0.0, 0.5, 0.5, 0.5])  # so few n-grams that their counts tell nothing
    ratio = ones / (ones + 2 * twos)
    discounts = [
        0,
        1 - 2 * ratio * twos / ones,
        2 - 3 * ratio * threes / twos,
        3 - 4 * ratio * fours / threes,
    ]
    return np.clip(discounts, 0.0, [0.0, 1.0, 2.0, 3.0])
