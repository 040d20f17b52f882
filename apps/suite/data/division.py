"""Divides examples into train, validation and test parts, and keeps groups in one part.

`by_speaker` draws speakers by a hash of their names: more recordings of the same speakers change
nothing. `by_group` looks for folds in which the labels are spread alike.
"""

import hashlib
import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from apps.suite import errors
from apps.suite.data.config import OwnConfig
from apps.suite.data.labelled_files import PARTS, Example

_DRAWS = 100


def in_drawn_order(names: Iterable[str], *seeds: object) -> list[str]:
    """Returns the names in an order that depends on each name and the seeds, on nothing else."""

    def key(name: str) -> bytes:
        return hashlib.sha256("\n".join([name, *map(str, seeds)]).encode()).digest()

    return sorted(names, key=key)


def by_key(
    keys: Sequence[str], parts: Sequence[str], counts: Mapping[str, int], seed: int
) -> list[str]:
    """Returns the parts after others were drawn from train; equal keys stay together.

    Args:
        keys: one of each example.
        parts: of the examples.
        counts: keys that are drawn for a part, by its name, in the order of the draws.
        seed: another one draws others.
    """
    found = list(parts)
    for part, count in counts.items():
        mine = {key for key, each in zip(keys, found, strict=True) if each == "train"}
        drawn = {*in_drawn_order(mine, seed, part)[:count]}
        found = [
            part if each == "train" and key in drawn else each
            for key, each in zip(keys, found, strict=True)
        ]
    return found


def by_speaker(
    examples: Sequence[Example],
    divided_by: str,
    fractions: Mapping[str, float],
    seed: int,
    *,
    source: str,
    silence: str,
) -> tuple[list[str], str]:
    """Returns the part of each recording, and a sentence that tells how the parts were made.

    Parts that the data name stay. Missing parts are taken from train: whole speakers if all
    recordings but silence name their speaker and there are enough speakers, so that
    `fractions[part]` of the speakers, at least one, are in a part. Of a hundred draws that the
    seed decides, the first is taken in which train has all labels and the other parts lack the
    fewest. Otherwise single recordings are taken, the same share of every label.

    Args:
        examples: recordings; their groups are speakers.
        divided_by: what names the parts, "" if nothing does.
        fractions: of the speakers (or recordings), for `validation` and `test`.
        seed: another one gives another division.
        source: of the data, for errors.
        silence: label of recordings in which nobody speaks.

    Raises:
        UserError: a label has too few recordings to be in all parts, or nothing is left to train.
    """
    parts = [example.part or "train" for example in examples]
    given = set(parts)
    missing = [part for part in fractions if part not in given]
    told = [f"by {divided_by}"] if divided_by else []
    if "train" not in given:
        raise errors.UserError(f"{source}: no recording is in the part train")
    if missing:
        mine = [index for index, part in enumerate(parts) if part == "train"]
        taken = [examples[index] for index in mine]
        shares = {part: fractions[part] for part in missing}
        among = f"{' and '.join(missing)} taken from train " if divided_by else ""
        speakers = [each.group for each in taken if each.label != silence]
        enough = all(speakers) and len(set(speakers)) > len(missing)
        new = _carve_speakers(taken, shares, seed) if enough else None
        if new is not None:
            told.append(f"{among}by speaker")
        else:
            new = _carve_recordings(taken, shares, seed, source)
            told.append(f"{among}by recording, the same share of every label")
        for index, part in zip(mine, new, strict=True):
            parts[index] = part
    return parts, f"{', '.join(told)}: {_voices(examples, parts, silence)}"


def _carve_speakers(
    taken: Sequence[Example], shares: Mapping[str, float], seed: int
) -> list[str] | None:
    """Returns the part of each recording; None if no draw leaves every label to train."""
    says: dict[str, set[str]] = {}
    for each in taken:
        if each.group:
            says.setdefault(each.group, set()).add(each.label)
    labels = set().union(*says.values())
    best: tuple[tuple[int, int], dict[str, str]] | None = None
    for draw in range(_DRAWS):
        part_of = _cut(in_drawn_order(says, seed, draw), shares)
        heard: dict[str, set[str]] = {part: set() for part in PARTS}
        for speaker, part in part_of.items():
            heard[part] |= says[speaker]
        lacking = sum(len(labels - heard[part]) for part in shares)
        score = (len(labels - heard["train"]), lacking)
        if best is None or score < best[0]:
            best = score, part_of
        if score == (0, 0):
            break
    if best is None or best[0][0]:
        return None
    silent = [each.name for each in taken if not each.group]
    part_of_silent = _cut(in_drawn_order(silent, seed), shares) if len(silent) > 2 else {}
    return [
        best[1][each.group] if each.group else part_of_silent.get(each.name, "train")
        for each in taken
    ]


def _carve_recordings(
    taken: Sequence[Example], shares: Mapping[str, float], seed: int, source: str
) -> list[str]:
    part_of: dict[str, str] = {}
    for label in sorted({each.label for each in taken}):
        names = [each.name for each in taken if each.label == label]
        if len(names) <= len(shares):
            raise errors.UserError(
                f"{source}: {len(names)} recordings of {label!r} are too few to be in "
                f"{len(shares) + 1} parts; add more, or remove that label"
            )
        part_of |= _cut(in_drawn_order(names, seed), shares)
    return [part_of[each.name] for each in taken]


def _cut(names: Sequence[str], shares: Mapping[str, float]) -> dict[str, str]:
    """Returns the part of each name: the first ones go to `shares`, the others to train."""
    part_of = dict.fromkeys(names, "train")
    place = 0
    for order, (part, share) in enumerate(shares.items(), 1):
        left_for_others = len(shares) - order + 1
        count = max(1, min(round(share * len(names)), len(names) - place - left_for_others))
        part_of |= dict.fromkeys(names[place : place + count], part)
        place += count
    return part_of


def _voices(examples: Sequence[Example], parts: Sequence[str], silence: str) -> str:
    """Tells how many voices are in each part, and how many of the test's are heard in training."""
    spoken = [
        (each.group, part)
        for each, part in zip(examples, parts, strict=True)
        if each.label != silence
    ]
    if not all(speaker for speaker, _ in spoken):
        return "speakers are not known, so voices of the test may be heard in training"
    voices = {part: {s for s, p in spoken if p == part} for part in PARTS}
    counts = ", ".join(f"{len(voices[part])} {part}" for part in ("validation", "test"))
    both = len(voices["test"] & voices["train"])
    told = f"{len(voices['train'])} voices train, {counts}"
    return f"{told}; {both} of the test's are heard in training too" if both else told


def by_group(
    examples: Sequence[Example],
    divided_by: str,
    own: OwnConfig,
    fractions: Mapping[str, float],
    seed: int,
    *,
    unit: str,
) -> tuple[list[str], str]:
    """Returns the part of each example, and a sentence that tells how the parts were made.

    Parts that the data name stay, except with `own.folds`: then fold number `own.fold` of all
    examples is the test part. A missing part is taken from train (test first), a share of all
    examples, so that labels are spread alike and groups stay whole; an example without a group
    is a group by itself.

    Args:
        examples: to divide.
        divided_by: what names the parts, "" if nothing does.
        own: folds, fold and validation_fold.
        fractions: of the examples, for `test` and `validation`.
        seed: another one gives another division.
        unit: what examples are, in the plural.

    Raises:
        UserError: a group that the data put into two parts, groups of only some examples, or too
            few groups or examples.
    """
    has_group = [bool(example.group) for example in examples]
    if any(has_group) and not all(has_group):
        without = examples[has_group.index(False)].name
        raise errors.UserError(
            f"{without}: has no group, others have one; give every one of the {unit} one, or none"
        )
    parts = [example.part or "train" for example in examples]
    if own.folds:
        found = _folds(examples, list(range(len(examples))), own.folds, seed, unit)
        tested = found[own.fold]
        parts = ["test" if number in tested else "train" for number in range(len(examples))]
        how = f"fold {own.fold + 1} of {own.folds}, "
        if own.validation_fold:
            following = found[(own.fold + 1) % len(found)]
            parts = [
                "validation" if number in following else each for number, each in enumerate(parts)
            ]
        else:
            parts = _taken(examples, parts, "validation", fractions["validation"], seed, unit)
    else:
        for part in ("test", "validation"):
            if part not in parts:
                parts = _taken(examples, parts, part, fractions[part], seed, unit)
        how = f"{divided_by}; what they lack " if divided_by else ""
        if divided_by and {example.part for example in examples} >= set(PARTS):
            return _checked(examples, parts), f"{divided_by}: {_counts(examples, parts, unit)}"
    counts = _counts(examples, parts, unit)
    if any(has_group):
        sentence = f"{how}by group: {counts}"
    else:
        sentence = (
            f"{how}by file, as there are no groups: {counts}; "
            "clips of one scene may be on two sides"
        )
    return _checked(examples, parts), sentence


def folds(examples: Sequence[Example], count: int, seed: int, *, unit: str) -> np.ndarray:
    """Returns the fold of each example, int [examples], at most `count` folds; see `by_group`."""
    found = np.zeros(len(examples), np.int64)
    for number, fold in enumerate(_folds(examples, list(range(len(examples))), count, seed, unit)):
        found[list(fold)] = number
    return found


def _taken(
    examples: Sequence[Example], parts: list[str], part: str, share: float, seed: int, unit: str
) -> list[str]:
    """Returns the parts after the share of all examples was moved from train to `part`."""
    places = [number for number, each in enumerate(parts) if each == "train"]
    if not share or not places:
        return parts
    folds = max(2, round(len(places) / (share * len(examples))))
    chosen = _folds(examples, places, folds, seed, unit)[0]
    return [part if number in chosen else each for number, each in enumerate(parts)]


def _folds(
    examples: Sequence[Example], places: list[int], folds: int, seed: int, unit: str
) -> list[frozenset[int]]:
    """Cuts the places into folds with about the same labels, and no group in two of them."""
    from sklearn.model_selection import StratifiedGroupKFold

    labels = [examples[place].label for place in places]
    groups = [examples[place].group or str(place) for place in places]
    different = len(set(groups))
    if different < 2:
        raise errors.UserError(
            f"all {unit} are of one group, {groups[0]!r}: give more groups, or a column part"
        )
    most = max(labels.count(label) for label in set(labels))
    folds = min(folds, different, most)
    if folds < 2:
        raise errors.UserError(
            f"{len(places)} {unit} of {len(set(labels))} labels are too few to divide; add some"
        )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about labels that are rarer than folds
        found = list(splitter.split(np.zeros(len(places)), labels, groups))
    return [frozenset(places[place] for place in test) for _, test in found]


def _checked(examples: Sequence[Example], parts: list[str]) -> list[str]:
    """Returns the parts. Raises UserError if a group is in two of them."""
    part_of: dict[str, tuple[str, str]] = {}
    for example, part in zip(examples, parts, strict=True):
        if not example.group:
            continue
        first, name = part_of.setdefault(example.group, (part, example.name))
        if first != part:
            raise errors.UserError(
                f"group {example.group!r} is on two sides: {name} in {first}, {example.name} in "
                f"{part}; a group belongs in one part"
            )
    return parts


def _counts(examples: Sequence[Example], parts: list[str], unit: str) -> str:
    """Tells `12 groups (40 videos) train, …`, or `40 videos train, …` without groups."""
    found = []
    for part in PARTS:
        mine = [example for example, each in zip(examples, parts, strict=True) if each == part]
        groups = {example.group for example in mine} - {""}
        count = f"{len(mine):,} {unit}"
        found.append(f"{len(groups):,} groups ({count}) {part}" if groups else f"{count} {part}")
    return ", ".join(found)
