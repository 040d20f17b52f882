"""Measures texts against what was said: wrong words and letters, by what they are, and where.

jiwer counts them; it is imported where it counts, so that writing down speech does without it.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Sequence
from typing import NamedTuple


def scores(truth: Sequence[str], heard: Sequence[str]) -> dict[str, float]:
    """Returns the rates of wrong words and letters over all texts together.

    The word error rate is (substitutions + deletions + insertions) / words of the truth; it may
    exceed 1. Texts are compared as they are: normalise them before.

    Args:
        truth: at least one, none of them empty.
        heard: one for each; may be empty.
    """
    import jiwer

    words = jiwer.process_words(list(truth), list(heard))
    count = words.hits + words.substitutions + words.deletions
    return {
        "word_error_rate": float(words.wer),
        "character_error_rate": float(jiwer.cer(list(truth), list(heard))),
        "substitutions": words.substitutions / count,
        "deletions": words.deletions / count,
        "insertions": words.insertions / count,
        "whole_texts": sum(a == b for a, b in zip(truth, heard, strict=True)) / len(truth),
    }


def errors_of(truth: Sequence[str], heard: Sequence[str]) -> list[int]:
    """Returns the number of wrong words of each text."""
    import jiwer

    pairs = (jiwer.process_words(*pair) for pair in zip(truth, heard, strict=True))
    return [found.substitutions + found.deletions + found.insertions for found in pairs]


def edits(truth: str, heard: str) -> int:
    """Returns the number of letters by which two texts differ; either may be empty."""
    import jiwer

    if not truth or not heard:
        return len(truth) + len(heard)
    found = jiwer.process_characters(truth, heard)
    return found.substitutions + found.deletions + found.insertions


class Group(NamedTuple):
    """Texts that have something in common."""

    name: str
    texts: int
    word_error_rate: float


def by_group(truth: Sequence[str], heard: Sequence[str], groups: Sequence[str]) -> list[Group]:
    """Returns the rate of each group, in the order of the groups' names; "" is not a group."""
    wrong = errors_of(truth, heard)
    counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    for text, errors, group in zip(truth, wrong, groups, strict=True):
        if group:
            each = counts[group]
            each[0] += 1
            each[1] += errors
            each[2] += len(text.split())
    return [
        Group(name, texts, errors / words)
        for name, (texts, errors, words) in sorted(counts.items())
    ]


class WrongWord(NamedTuple):
    """A word that is often not heard."""

    word: str
    wrong: int  # times that it is replaced or left out
    said: int
    heard_as: str  # what stands most often in its place; "" where nothing does


def wrong_words(truth: Sequence[str], heard: Sequence[str], most: int) -> list[WrongWord]:
    """Returns the words that are most often wrong, the worst first."""
    import jiwer

    found = jiwer.process_words(list(truth), list(heard))
    said = collections.Counter(word for text in truth for word in text.split())
    instead: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for chunks, reference, hypothesis in zip(
        found.alignments, found.references, found.hypotheses, strict=True
    ):
        for chunk in chunks:
            words = reference[chunk.ref_start_idx : chunk.ref_end_idx]
            others = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
            if chunk.type in ("substitute", "delete"):
                for word, other in itertools.zip_longest(words, others, fillvalue=""):
                    instead[word][other] += 1
    ordered = sorted(instead.items(), key=lambda pair: (-sum(pair[1].values()), pair[0]))
    return [
        WrongWord(word, sum(others.values()), said[word], others.most_common(1)[0][0])
        for word, others in ordered[:most]
    ]
