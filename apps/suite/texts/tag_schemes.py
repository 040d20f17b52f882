"""Schemes of tags that mark spans of words: found in data, read as spans, written back.

    words    Anna  B.    saw   York  Rome  today
    IO       I-P   I-P   O     I-L   I-L   O       cannot part York from Rome
    IOB1     I-P   I-P   O     I-L   B-L   O       B only between spans of one type
    IOB2     B-P   I-P   O     B-L   B-L   O
    BIOES    B-P   E-P   O     S-L   S-L   O
    BILOU    B-P   L-P   O     U-L   U-L   O

Tags of the scheme "plain", such as parts of speech, stand for one word each; "O" is none of them,
and "" is a word whose tag is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

NAMES = ("IO", "IOB1", "IOB2", "BIOES", "BILOU", "plain")
INSIDE = "IOB2"  # what a model learns, whatever the data hold
_TAG = re.compile(r"O|([BIESLU])(?:-(.+))?", re.DOTALL)
_ONE, _LAST = {"BIOES": "S", "BILOU": "U"}, {"BIOES": "E", "BILOU": "L"}


class Span(NamedTuple):
    """Words start … end - 1 of a sentence, and the type of what they are."""

    start: int
    end: int
    kind: str


def split(tag: str) -> tuple[str, str]:
    """Returns prefix and type of a tag of a scheme with spans; ("O", "") for "O"."""
    prefix, _, kind = tag.partition("-")
    return prefix, kind


def spelled(kind: str, words: int, scheme: str, after_same: bool = False) -> list[str]:
    """Returns the tags of one span.

    Args:
        kind: its type; "" where the scheme's letters stand alone.
        words: of the span.
        scheme: one of `NAMES`.
        after_same: the word before is in another span of the same type.
    """
    if scheme == "plain":
        return [kind] * words
    prefixes = ["I"] * words
    if scheme != "IO" and (scheme != "IOB1" or after_same):
        prefixes[0] = "B"
    if scheme in _ONE:
        prefixes[-1] = _LAST[scheme] if words > 1 else _ONE[scheme]
    return [f"{prefix}-{kind}" if kind else prefix for prefix in prefixes]


def read(tags: Sequence[str], scheme: str, strict: bool = True) -> list[Span]:
    """Reads the spans of a sentence.

    Args:
        tags: of its words.
        scheme: one of `NAMES`.
        strict: a span that the scheme would write otherwise does not count. False reads it as the
            script conlleval does: a span begins with B, S or U, after E, S, L or U, and where the
            type changes.
    """
    if scheme == "plain":
        return [Span(at, at + 1, tag) for at, tag in enumerate(tags) if tag not in ("O", "")]
    found: list[Span] = []
    before, kind_before = "O", ""
    for at, tag in enumerate(tags):
        prefix, kind = split(tag)
        if prefix != "O":
            begins = prefix in "BSU" or before in "OESLU" or kind != kind_before
            start = at if begins else found.pop().start
            found.append(Span(start, at + 1, kind))
        before, kind_before = prefix, kind
    if not strict:
        return found
    return [
        span
        for place, span in enumerate(found)
        if list(tags[span.start : span.end])
        == spelled(span.kind, span.end - span.start, scheme, _follows(found, place))
    ]


def write(spans: Iterable[Span], words: int, scheme: str) -> list[str]:
    """Writes spans, which must not overlap, as the tags of a sentence of so many words."""
    tags, ordered = ["O"] * words, sorted(spans)
    for place, span in enumerate(ordered):
        tags[span.start : span.end] = spelled(
            span.kind, span.end - span.start, scheme, _follows(ordered, place)
        )
    return tags


def violation(tags: Sequence[str], scheme: str) -> int | None:
    """Returns the place of the first tag that breaks the scheme, or None."""
    if scheme == "plain":
        return None
    for at, tag in enumerate(tags):
        if _TAG.fullmatch(tag) is None:
            return at
    inside = {at for span in read(tags, scheme) for at in range(span.start, span.end)}
    return next((at for at, tag in enumerate(tags) if tag != "O" and at not in inside), None)


def find(sentences: Sequence[Sequence[str]]) -> str:
    """Returns the scheme that the tags of sentences are written in.

    Prefixes decide, and between IOB1 and IOB2 the one that fewer sentences break. Tags that are
    not all "O" or a prefix with a type, or the letters B, I and O alone, are plain.
    """
    every = {tag for tags in sentences for tag in tags}
    matches = [_TAG.fullmatch(tag) for tag in every]
    if not all(matches) or not (every - {"O"}):
        return "plain"
    prefixes = {found[1] for found in matches if found and found[1]}
    bare = {tag for tag in every if tag != "O" and "-" not in tag}
    if bare and not ("B" in every <= {"B", "I", "O"}):
        return "plain"
    if prefixes & set("LU"):
        return "BILOU"
    if prefixes & set("ES"):
        return "BIOES"
    if prefixes == {"I"}:
        return "IO"

    def broken(scheme: str) -> int:
        return sum(violation(tags, scheme) is not None for tags in sentences)

    return min(("IOB2", "IOB1"), key=broken)


def inside_names(sentences: Iterable[Sequence[str]], scheme: str) -> list[str]:
    """Returns the names of a model's tags: "O" first where it is one, the others sorted.

    Of a scheme with spans, these are the tags of `INSIDE` for all types.
    """
    every = {tag for tags in sentences for tag in tags} - {""}
    if scheme == "plain":
        return sorted(every, key=lambda tag: (tag != "O", tag))
    kinds = sorted({split(tag)[1] for tag in every if tag != "O"})
    return ["O", *(spelled(kind, 2, INSIDE)[at] for kind in kinds for at in (0, 1))]


def to_inside(tags: Sequence[str], scheme: str) -> list[str]:
    """Returns tags of a scheme as the model's tags."""
    if scheme == "plain":
        return list(tags)
    return write(read(tags, scheme), len(tags), INSIDE)


def from_inside(tags: Sequence[str], scheme: str) -> list[str]:
    """Returns the model's tags, read as conlleval does, in the scheme of the data."""
    if scheme == "plain":
        return list(tags)
    return write(read(tags, INSIDE, strict=False), len(tags), scheme)


def spellings(kind: str, scheme: str) -> list[list[list[str]]]:
    """Returns a word's tag by whether it begins its span, ends it, and stands after its type."""

    def one(begins: bool, ends: bool, after_same: bool) -> str:
        if begins:
            return spelled(kind, 1 if ends else 2, scheme, after_same)[0]
        return spelled(kind, 3, scheme)[-1 if ends else 1]

    either = (False, True)
    return [[[one(b, e, s) for s in either] for e in either] for b in either]


def _follows(spans: Sequence[Span], place: int) -> bool:
    """Tells if the span before ends where this one begins, and is of the same type."""
    before = spans[place - 1] if place else None
    return before is not None and (before.end, before.kind) == spans[place][::2]
