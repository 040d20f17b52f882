"""Evaluates counted n-grams, on the model's own tokens (`ngrams`).

The strength of the lower orders beneath the highest one, and the highest order itself, are chosen
on the validation part; the test part is only scored.
"""

from typing import NamedTuple

import numpy as np

from apps.text_generation import data, ngrams


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
    for model, found in ngrams.learn(tokens.train, parts, vocabulary_size, highest_order):
        validation, test = (-np.log(part) for part in found)
        orders[model.order] = Counted(float(validation.mean()), test)
    best = min(range(2, highest_order + 1), key=lambda order: orders[order].validation_nats)
    return {"unigram": orders[1], f"{best}-gram Kneser-Ney": orders[best]}
