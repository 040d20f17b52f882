"""Sums up by what stands first, by what is like the rest, and by the nearest text's summary."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from apps.summarization import measures

LEAD, SENTENCE, RANK, NEAREST = (
    "first words",
    "first sentence",
    "TextRank",
    "nearest text's summary",
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_LENGTHS = (4, 6, 8, 10, 12, 16, 20, 25, 30, 40, 60, 80)
_DAMPING, _ROUNDS = 0.85, 30


def sentences(text: str) -> list[str]:
    """Cuts a text after full stops, question and exclamation marks."""
    return [each for each in _SENTENCE.split(text.strip()) if each] or [""]


def first_words(text: str, count: int) -> str:
    """Returns the first words of a text."""
    return " ".join(text.split()[:count])


def best_length(texts: Sequence[str], summaries: Sequence[str]) -> int:
    """Returns the number of first words with the highest ROUGE-1, on the validation part."""

    def score(count: int) -> float:
        given = [first_words(text, count) for text in texts]
        return float(measures.rouge(summaries, given)["rouge1"].mean())

    return max(_LENGTHS, key=score)


def first_sentences(texts: Sequence[str]) -> list[str]:
    """Returns the first sentence of each text."""
    return [sentences(text)[0] for text in texts]


def text_rank(text: str) -> str:
    """Returns the sentence that is most like the others (Mihalcea and Tarau 2004).

    The weight of two sentences is the number of words that they share, divided by the sum of the
    logarithms of their lengths; the rank is that of PageRank.
    """
    found = sentences(text)
    words = [set(re.findall(r"\w+", each.lower())) for each in found]
    weights = np.zeros((len(found), len(found)))
    for one, other in np.ndindex(weights.shape):
        size = np.log(max(2, len(words[one]))) + np.log(max(2, len(words[other])))
        weights[one, other] = 0.0 if one == other else len(words[one] & words[other]) / size
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    rank = np.ones(len(found)) / len(found)
    for _ in range(_ROUNDS):
        rank = (1 - _DAMPING) / len(found) + _DAMPING * rank @ weights
    return found[int(rank.argmax())]


def best_sentences(texts: Sequence[str], summaries: Sequence[str]) -> list[str]:
    """Returns the sentence of each text that is most like its true summary: a ceiling, no rival."""
    found = []
    for text, summary in zip(texts, summaries, strict=True):
        cut = sentences(text)
        scores = measures.rouge([summary] * len(cut), cut)["rouge1"]
        found.append(cut[int(scores.argmax())])
    return found
