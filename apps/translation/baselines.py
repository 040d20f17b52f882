"""Translates without a network: the source itself, the nearest source's translation, a dictionary.

The dictionary is IBM model 1 (Brown et al., "The mathematics of statistical machine translation",
1993): t(target | source) by expectation maximisation over all pairs of units in a pair of texts.
Units are words and signs, or the letters of a word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from apps.suite.texts.pair_files import Pair

COPY, MEMORY, DICTIONARY = "copy of the source", "nearest source", "word for word"
_ROUNDS = 6  # of expectation maximisation
_MOST = 12_000_000  # pairs of units that the dictionary learns from
_UNIT = re.compile(r"\w+(?:['-]\w+)*|[^\w\s]")


def word_for_word(train: Sequence[Pair], sources: Sequence[str], *, by_letters: bool) -> list[str]:
    """Translates each unit by the likeliest unit of IBM model 1, in the order of the source."""
    table = learned(train, by_letters=by_letters)
    answers = []
    for source in sources:
        written = [table.get(unit, unit) for unit in units(source, by_letters=by_letters)]
        text = " ".join(written)
        if not by_letters:
            text = re.sub(r" ([.,!?;:…%)\]])", r"\1", text)
            text = text[:1].upper() + text[1:] if source[:1].isupper() else text
        answers.append(text)
    return answers


def units(text: str, *, by_letters: bool) -> list[str]:
    """Cuts a source into what is translated one by one, in small letters."""
    return list(text) if by_letters else _UNIT.findall(text.lower())


def learned(train: Sequence[Pair], *, by_letters: bool) -> dict[str, str]:
    """Returns the likeliest translation of each unit."""
    first: dict[str, int] = {}
    second: dict[str, int] = {}
    lefts, rights, groups = [], [], []
    group = total = 0
    for pair in train:
        source = units(pair.source, by_letters=by_letters)
        target = pair.target.split()
        if not by_letters:  # a small first letter: a word has one form in all places
            target = _UNIT.findall(pair.target[:1].lower() + pair.target[1:])
        left = np.array([first.setdefault(unit, len(first)) for unit in source], np.int64)
        right = np.array([second.setdefault(unit, len(second)) for unit in target], np.int64)
        lefts.append(np.tile(left, len(right)))
        rights.append(np.repeat(right, len(left)))
        groups.append(np.repeat(group + np.arange(len(right)), len(left)))
        group, total = group + len(right), total + len(left) * len(right)
        if total > _MOST:
            break
    if not total:
        return {}
    group_of = np.concatenate(groups)
    keys, place = np.unique(
        np.concatenate(lefts) * len(second) + np.concatenate(rights), return_inverse=True
    )
    source_of = keys // len(second)
    chance = np.ones(len(keys))
    for _ in range(_ROUNDS):
        shares = chance[place]
        shares /= np.bincount(group_of, shares)[group_of]
        counts = np.bincount(place, shares, len(keys))
        chance = counts / np.bincount(source_of, counts)[source_of]
    order = np.lexsort((-chance, source_of))
    _, starts = np.unique(source_of[order], return_index=True)
    names, words = list(first), list(second)
    best = keys[order[starts]]
    return {names[key // len(second)]: words[key % len(second)] for key in best}
