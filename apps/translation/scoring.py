"""Chooses how much the search prefers long translations, on validation texts."""

from __future__ import annotations

from collections.abc import Sequence

from apps.suite.data import pair_sets
from apps.suite.sequences import pair_answers
from apps.translation import measures

PENALTIES = (0.6, 0.0, 0.3, 1.0, 1.5)
"""Values that are tried. Of equally good ones the first is taken (0.6: Wu et al. 2016)."""
_JUDGED = 400  # sources, evenly spread


def chosen_penalty(
    writer: pair_answers.Writer,
    questions: Sequence[pair_sets.Question],
    width: int,
    tokenizer: str,
    *,
    by_words: bool,
) -> tuple[float, dict[float, float]]:
    """Returns the penalty of the best answers, and the first measure of each that was tried.

    Args:
        writer: of the trained network.
        questions: of the validation part.
        width: of the beam; a greedy search asks for no penalty, and takes the first.
        tokenizer: of sacreBLEU.
        by_words: answers are words in phonemes, see `measures.primary`.
    """
    if width == 1:
        return PENALTIES[0], {}
    some = questions[:: max(1, len(questions) // _JUDGED)][:_JUDGED]
    name, higher = measures.primary(by_words=by_words)
    found = {}
    for penalty in PENALTIES:
        answers = writer([each.source for each in some], width, penalty)
        scores = measures.scores(answers.texts, some, tokenizer, by_words=by_words)
        found[penalty] = scores[name]
    return max(found, key=lambda each: found[each] if higher else -found[each]), found
