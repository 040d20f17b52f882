"""Normalises transcripts, and finds, checks and numbers the letters that they are written in."""

from __future__ import annotations

import collections
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from apps.speech_to_text import config as configs
from apps.suite import errors

_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ`´", "'"))
_SHOWN = 8  # letters in an error
NORMALISATION = (
    "Unicode NFC, {case}apostrophes alike, {signs}white space as single blanks; numbers are "
    "compared as they are written"
)


class Utterance(Protocol):
    """A recording with its transcript."""

    @property
    def name(self) -> str: ...
    @property
    def text(self) -> str: ...


def told(config: configs.TextConfig) -> str:
    """Returns what `normalised` does, in words."""
    return NORMALISATION.format(
        case="lower case, " if config.lowercase else "",
        signs="" if config.punctuation else "other punctuation as blanks, ",
    )


def normalised(text: str, config: configs.TextConfig) -> str:
    """Returns a transcript as the model learns it and as it is compared."""
    text = unicodedata.normalize("NFC", text).translate(_APOSTROPHES)
    if config.lowercase:
        text = unicodedata.normalize("NFC", text.lower())
    letters = (
        " "
        if unicodedata.category(letter)[0] in "CZ"
        or (not config.punctuation and letter != "'" and unicodedata.category(letter)[0] in "PS")
        else letter
        for letter in text
    )
    return " ".join("".join(letters).split())


def alphabet_of(
    train: Sequence[Utterance], config: configs.TextConfig, source: str
) -> tuple[str, ...]:
    """Returns the letters by number: those of the config, or of the transcripts; a blank is one.

    Raises:
        UserError: an alphabet that holds a letter twice, or that cannot be what transcripts hold.
    """
    if config.alphabet == "auto":
        found = {letter for each in train for letter in each.text} | {" "}
        if len(found) < 3:
            raise errors.UserError(f"{source}: the transcripts hold less than two letters")
        return tuple(sorted(found))
    given = unicodedata.normalize("NFC", config.alphabet)
    twice = [letter for letter, count in collections.Counter(given).items() if count > 1]
    if twice:
        raise errors.UserError(f"text.alphabet: holds {twice[0]!r} twice; name each letter once")
    changed = [letter for letter in given if letter != " " and normalised(letter, config) != letter]
    if changed:
        raise errors.UserError(
            f"text.alphabet: {changed[0]!r} never stands in a transcript, which is normalised "
            f"before ({told(config)}); leave it out, or set text.lowercase or text.punctuation"
        )
    return tuple(sorted({*given, " "}))


def fitted(texts: Sequence[Utterance], alphabet: Sequence[str], outside: str) -> list[str]:
    """Returns the transcripts without letters outside of the alphabet.

    Raises:
        UserError: there are such letters and `outside` is "refuse": names them with their counts.
    """
    known = set(alphabet)
    strange = collections.Counter(
        letter for each in texts for letter in each.text if letter not in known
    )
    if strange and outside == "refuse":
        shown = ", ".join(f"{each!r} {count:,}" for each, count in strange.most_common(_SHOWN))
        shown += ", …" if len(strange) > _SHOWN else ""
        name = next(each.name for each in texts if set(each.text) - known)
        raise errors.UserError(
            f"{name}: letters outside of the alphabet: {shown}; "
            "leave them out with --text.outside drop, or name all letters with --text.alphabet"
        )
    kept = ("".join(letter for letter in each.text if letter in known) for each in texts)
    return [" ".join(text.split()) for text in kept]


def numbered(text: str, alphabet: Sequence[str]) -> list[int]:
    """Returns the number of each letter of a text that `fitted` has returned."""
    numbers = {letter: number for number, letter in enumerate(alphabet)}
    return [numbers[letter] for letter in text]


def table(texts: Sequence[str], alphabet: Sequence[str]) -> np.ndarray:
    """Returns the numbers of texts side by side, int32 [texts, longest], -1 after their ends."""
    rows = [numbered(text, alphabet) for text in texts]
    longest = max(map(len, rows))
    return np.array([row + [-1] * (longest - len(row)) for row in rows], np.int32)


def spelled(labels: Iterable[int], alphabet: Sequence[str]) -> str:
    """Undoes `numbered`; numbers below 0 are padding. Blanks are made single."""
    return " ".join("".join(alphabet[label] for label in labels if label >= 0).split())
