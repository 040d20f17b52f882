"""Measures tags: F1 of spans, strict and as conlleval counts, accuracies, confusions.

All counts run over the whole part: a mean of the F1 of sentences or batches is another number. A
word whose right tag is not known ("") counts nowhere, whatever it was given.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import NamedTuple

from apps.suite.texts import tag_schemes

Tags = Sequence[Sequence[str]]

MEANING = {
    "strict F1": "Harmonic mean of precision and recall of whole spans: a span is right if its "
    "type and both borders are, and it counts only where it is written as the scheme wants.",
    "conlleval F1": "The same, read as the script conlleval does: a span that begins otherwise "
    "than the scheme wants counts, too. It is never told apart in the tags of a CRF with rules.",
    "F1": "Harmonic mean of precision and recall of all tags but O, word by word.",
    "macro F1": "Mean of the F1 of each tag but O, rare ones as much as frequent ones.",
    "accuracy": "Share of the words whose tag is right, O included.",
    "accuracy of unseen words": "The same of words that the training part does not hold.",
    "sentence accuracy": "Share of the sentences without a wrong tag.",
    "label accuracy": "Share of the sentences whose label is right.",
}


class Score(NamedTuple):
    """Counts of spans, of one type or of all."""

    right: int
    found: int
    there: int

    @property
    def precision(self) -> float:
        """Returns the share of the found spans that are right."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Returns the share of the spans that were found."""
        return self.right / self.there if self.there else 0.0

    @property
    def f1(self) -> float:
        """Returns the harmonic mean of precision and recall."""
        return 2 * self.right / (self.found + self.there) if self.found + self.there else 0.0


def known(right: Tags, given: Tags) -> list[list[str]]:
    """Returns the given tags, "" where the right one is not known."""
    return [
        [tag if true else "" for true, tag in zip(*pair, strict=True)]
        for pair in zip(right, given, strict=True)
    ]


def by_type(right: Tags, given: Tags, scheme: str, strict: bool = True) -> dict[str, Score]:
    """Counts spans by type: right ones agree in type and in both borders.

    Args:
        right: tags of each sentence.
        given: by a model; likewise.
        scheme: of both.
        strict: see `tag_schemes.read`; spans of plain tags are single words, "O" excepted.
    """
    counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    for true, tags in zip(right, known(right, given), strict=True):
        there, found = (set(tag_schemes.read(each, scheme, strict)) for each in (true, tags))
        for place, spans in enumerate((there & found, found, there)):
            for span in spans:
                counts[span.kind][place] += 1
    return {kind: Score(*counts[kind]) for kind in sorted(counts)}


def total(scores: dict[str, Score]) -> Score:
    """Returns the counts of all types together."""
    return Score(*(sum(each[place] for each in scores.values()) for place in range(3)))


def primary(scheme: str, tag_names: Sequence[str]) -> str:
    """Returns the name of the measure by which a model is compared."""
    if scheme != "plain":
        return "strict_f1"
    return "f1" if "O" in tag_names else "accuracy"


def scores(
    words: Sequence[Sequence[str]],
    right: Tags,
    given: Tags,
    scheme: str,
    tag_names: Sequence[str],
    seen: set[str],
) -> dict[str, float]:
    """Returns the measures of a part, the primary one first.

    Args:
        words: of each sentence.
        right: their tags.
        given: tags by a model.
        scheme: of both.
        tag_names: of the model.
        seen: the words of the training part, in small letters.
    """
    strict = by_type(right, given, scheme)
    whole = total(strict)
    found: dict[str, float] = {}
    if scheme != "plain":
        found["strict_f1"] = whole.f1
        found["conlleval_f1"] = total(by_type(right, given, scheme, strict=False)).f1
    elif "O" in tag_names:
        found["f1"] = whole.f1
        found["macro_f1"] = sum(each.f1 for each in strict.values()) / max(1, len(strict))
    if found:
        found |= {"precision": whole.precision, "recall": whole.recall}
    counts = collections.Counter(
        (word.lower() in seen, tag == true)
        for sentence in zip(words, right, given, strict=True)
        for word, true, tag in zip(*sentence, strict=True)
        if true
    )
    found["accuracy"] = (counts[True, True] + counts[False, True]) / max(1, counts.total())
    for name, was_seen in (("accuracy_of_seen_words", True), ("accuracy_of_unseen_words", False)):
        times = counts[was_seen, True] + counts[was_seen, False]
        if times:
            found[name] = counts[was_seen, True] / times
    pairs = zip(right, known(right, given), strict=True)
    found["sentence_accuracy"] = sum(list(true) == tags for true, tags in pairs) / len(right)
    return found


def confusions(right: Tags, given: Tags, scheme: str) -> collections.Counter[tuple[str, str]]:
    """Counts (right type, given type) of words; "O" is none."""

    def kind(tag: str) -> str:
        return tag if scheme == "plain" or tag == "O" else tag_schemes.split(tag)[1]

    return collections.Counter(
        (kind(true), kind(tag))
        for sentence in zip(right, given, strict=True)
        for true, tag in zip(*sentence, strict=True)
        if true
    )


def border_errors(right: Tags, given: Tags, scheme: str) -> dict[str, int]:
    """Counts the right spans by what became of them, and the ones that were made up."""
    counts = dict.fromkeys(
        ("right", "another type", "other borders", "other borders and type", "missed", "made up"), 0
    )
    for true, tags in zip(right, known(right, given), strict=True):
        there, found = (tag_schemes.read(each, scheme, strict=False) for each in (true, tags))
        for span in there:
            over = [each for each in found if each.start < span.end and span.start < each.end]
            same = next((each for each in over if each[:2] == span[:2]), None)
            if same is not None:
                counts["right" if same == span else "another type"] += 1
            elif over:
                kinds = {each.kind for each in over}
                counts["other borders" + ("" if span.kind in kinds else " and type")] += 1
            else:
                counts["missed"] += 1
        counts["made up"] += sum(
            not any(each.start < span.end and span.start < each.end for span in there)
            for each in found
        )
    return counts
