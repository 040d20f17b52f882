"""Measures summaries: ROUGE, what is copied, what repeats, and numbers that the text lacks.

ROUGE is that of the package rouge-score, F1 in percent: shared words (1), pairs of words (2), and
the longest common subsequence of the whole summary (L). Words are runs of letters and digits in
small letters; an empty summary scores 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

KINDS = ("rouge1", "rouge2", "rougeL")
PRIMARY = "rouge1"
_NUMERAL = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(r"\w+")


def rouge(
    true: Sequence[str], given: Sequence[str], *, stemmed: bool = False
) -> dict[str, np.ndarray]:
    """Returns the F1 of each summary, in percent, by kind."""
    from rouge_score import rouge_scorer

    scorer = rouge_scorer.RougeScorer(list(KINDS), use_stemmer=stemmed)
    scores = [scorer.score(one, other) for one, other in zip(true, given, strict=True)]
    return {kind: np.array([100.0 * score[kind].fmeasure for score in scores]) for kind in KINDS}


def scores(true: Sequence[str], given: Sequence[str], sources: Sequence[str]) -> dict[str, float]:
    """Returns all measures of some summaries, means over them."""
    plain, stemmed = rouge(true, given), rouge(true, given, stemmed=True)
    pairs = list(zip(given, sources, strict=True))
    return {
        **{kind: float(values.mean()) for kind, values in plain.items()},
        **{f"{kind}_stemmed": float(values.mean()) for kind, values in stemmed.items()},
        "words": float(np.mean([len(text.split()) for text in given])),
        "words_of_the_text": float(np.mean([_share_in(*pair) for pair in pairs])),
        "repeated_trigrams": float(np.mean([repeats(text) for text in given])),
        "foreign_numerals": float(np.mean([bool(foreign_numerals(*pair)) for pair in pairs])),
    }


def repeats(text: str, count: int = 3) -> bool:
    """Returns whether a run of `count` words stands in a text twice."""
    words = _WORD.findall(text.lower())
    runs = [tuple(words[at : at + count]) for at in range(len(words) - count + 1)]
    return len(set(runs)) < len(runs)


def foreign_numerals(summary: str, source: str) -> set[str]:
    """Returns the numerals of a summary that its text does not hold."""
    return {*_NUMERAL.findall(summary)} - {*_NUMERAL.findall(source)}


def _share_in(summary: str, source: str) -> float:
    """Returns the share of a summary's words that stand in the text."""
    words, known = _WORD.findall(summary.lower()), {*_WORD.findall(source.lower())}
    return sum(word in known for word in words) / max(1, len(words))
