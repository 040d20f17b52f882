"""Counts n-grams with modified Kneser-Ney smoothing, and keeps them as tables to be looked up.

For a token w after a context h, with h' the context without its first token and c the counts,

    p(w | h) = (c(h w) - D(c(h w)) + (D(h) + s) p(w | h')) / (c(h) + s)

where D(1), D(2), D(3 and more) are discounts, D(h) is what they took from h in all, and the empty
context ends in 1 / vocabulary size. Below the highest order, c counts in how many different
contexts an n-gram was seen (Kneser and Ney 1995); the discounts come from the counts of counts
(Chen and Goodman 1999, equation 17). The strength s of the lower orders beneath the highest one
is chosen on held-out text.

The tables hold, for each order, the part of p that belongs to an n-gram, and the factor of the
order below that belongs to a context:

    p(w | h) = value(h w) + backoff(h) p(w | h')

An n-gram is a number: its place among the n-grams of its order, which are sorted by the number of
their context and then by their last token. 0 is the start of the text, `ABSENT` was never seen.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

ABSENT = -1
_STRENGTHS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


class Level(NamedTuple):
    """The n-grams of one order.

    Attributes:
        keys: int64 [n-grams], ascending: `key` of each one's context and last token.
        values: float64 [n-grams], value(h w).
        backoffs: float64 [n-grams one token shorter], backoff(h); 1 where nothing follows.
    """

    keys: np.ndarray
    values: np.ndarray
    backoffs: np.ndarray


class Model(NamedTuple):
    """A model of one highest order.

    Attributes:
        vocabulary_size: number of token ids.
        levels: of the orders 1, 2, …
        strength: s.
    """

    vocabulary_size: int
    levels: tuple[Level, ...]
    strength: float

    @property
    def order(self) -> int:
        """Returns the tokens of the longest n-gram; 1 sees no context."""
        return len(self.levels)


class Learned(NamedTuple):
    """A model, and its probabilities of every token but the first of each held-out sequence."""

    model: Model
    sequences: list[np.ndarray]  # float64 [tokens - 1] each


def key(contexts: np.ndarray, tokens: np.ndarray, vocabulary_size: int) -> np.ndarray:
    """Returns the numbers by which n-grams of one order are sorted; below 0 after `ABSENT`."""
    return contexts * (vocabulary_size + 1) + tokens + 1


def probabilities(model: Model, tokens: np.ndarray) -> np.ndarray:
    """Returns those of all tokens but the first, float64 [tokens - 1], for int [tokens]."""
    reader = _Reader(tokens.astype(np.int64), model.vocabulary_size)
    for level in model.levels[:-1]:
        reader.descend(level)
    return reader.probabilities(model.levels[-1])


def learn(
    train: np.ndarray, sequences: Sequence[np.ndarray], vocabulary_size: int, highest_order: int
) -> Iterator[Learned]:
    """Yields models of order 1, 2, … `highest_order`, learned on int [tokens].

    The strength is the one that fits the first of the sequences best. A sequence begins as a text
    does; its first token is context alone.
    """
    # A symbol that is not a token stands before the text, so that all its n-grams are whole.
    row = np.concatenate([np.full(highest_order, -1), train]).astype(np.int64)
    text = slice(highest_order, len(row))
    contexts = np.zeros(len(row), np.int64)
    held_out = [_Reader(sequence.astype(np.int64), vocabulary_size) for sequence in sequences]
    lower: list[Level] = []
    below: tuple[np.ndarray, np.ndarray, int] | None = None  # keys, n-grams of the row, contexts
    context_count = 1
    for _ in range(highest_order):
        keys, first, grams = np.unique(
            key(contexts, row, vocabulary_size), return_index=True, return_inverse=True
        )
        if below is not None:
            # In how many contexts one token longer was each n-gram of the order below seen?
            shorter_keys, shorter, shorter_contexts = below
            seen = shorter[first[first >= text.start]]
            endings = np.bincount(seen, minlength=len(shorter_keys))
            counted = _Counted(shorter_keys, endings, shorter_contexts, vocabulary_size)
            lower.append(counted.level(0.0))
            for reader in held_out:
                reader.descend(lower[-1])
        counts = np.bincount(grams[text], minlength=len(keys))
        top = _Counted(keys, counts, context_count, vocabulary_size)
        with np.errstate(divide="ignore"):  # a strength that rules a token out fits worst
            fitted = [
                (float(np.log(held_out[0].probabilities(top.level(strength))).sum()), -strength)
                for strength in _STRENGTHS
            ]
        strength = -max(fitted)[1]
        level = top.level(strength)
        yield Learned(
            Model(vocabulary_size, (*lower, level), strength),
            [reader.probabilities(level) for reader in held_out],
        )
        below = keys, grams, context_count
        context_count = len(keys)
        contexts = np.concatenate([[0], grams[:-1]])


class _Counted:
    """The n-grams of one order with their counts, before they are smoothed."""

    def __init__(
        self, keys: np.ndarray, counts: np.ndarray, context_count: int, vocabulary_size: int
    ) -> None:
        self._keys = keys
        discounts = _discounts(counts)[np.minimum(counts, 3)]
        self._kept = counts - discounts
        self._contexts = keys // (vocabulary_size + 1)
        self._totals = np.bincount(self._contexts, weights=counts, minlength=context_count)
        self._taken = np.bincount(self._contexts, weights=discounts, minlength=context_count)

    def level(self, strength: float) -> Level:
        """Returns the smoothed n-grams."""
        known = self._totals > 0
        totals = np.where(known, self._totals + strength, 1.0)
        values = self._kept / totals[self._contexts]
        return Level(self._keys, values, np.where(known, (self._taken + strength) / totals, 1.0))


class _Reader:
    """Reads a sequence order by order; a level is looked up once."""

    def __init__(self, tokens: np.ndarray, vocabulary_size: int) -> None:
        self._tokens, self._size = tokens, vocabulary_size
        self._contexts = np.zeros(len(tokens), np.int64)
        self._lower = np.full(len(tokens), 1 / vocabulary_size)
        self._found: tuple[np.ndarray, np.ndarray] | None = None

    def _grams(self, level: Level) -> np.ndarray:
        if self._found is None or self._found[0] is not level.keys:
            wanted = key(self._contexts, self._tokens, self._size)
            places = np.minimum(np.searchsorted(level.keys, wanted), len(level.keys) - 1)
            self._found = level.keys, np.where(level.keys[places] == wanted, places, ABSENT)
        return self._found[1]

    def probabilities(self, level: Level) -> np.ndarray:
        """Returns those of all tokens but the first, a level being the highest one."""
        return self._probabilities(level)[1:]

    def descend(self, level: Level) -> None:
        """Makes a level the order below."""
        grams, self._lower = self._grams(level), self._probabilities(level)
        self._contexts = np.concatenate([[0], grams[:-1]])

    def _probabilities(self, level: Level) -> np.ndarray:
        grams = self._grams(level)
        values = np.where(grams == ABSENT, 0.0, level.values[grams])
        backoffs = np.where(self._contexts == ABSENT, 1.0, level.backoffs[self._contexts])
        return values + backoffs * self._lower


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
