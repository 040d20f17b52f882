"""Orders the examples of a training: pass after pass, each a permutation of its own."""

from __future__ import annotations

import functools

import numpy as np


class Order:
    """Endless order of examples that depends on the seed alone, so that a training resumes in it.

    Args:
        examples: int [examples], in one pass; a number may stand there several times.
        seed: of the run, and a number that no other draw of the task takes beside it.
    """

    def __init__(self, examples: np.ndarray, seed: tuple[int, int]) -> None:
        self._count = len(examples)
        self._permutation = functools.lru_cache(maxsize=2)(
            lambda number: np.random.default_rng((*seed, number)).permutation(examples)
        )

    def take(self, first: int, count: int) -> np.ndarray:
        """Returns the examples int64 [count] at the places first … first + count - 1."""
        places = np.arange(first, first + count)
        passes = places // self._count
        found = np.empty(count, np.int64)
        for number in np.unique(passes):
            here = passes == number
            found[here] = self._permutation(int(number))[places[here] % self._count]
        return found
