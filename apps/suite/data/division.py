"""Divides recordings into parts so that a voice of the test is not heard in training."""

import hashlib
from collections.abc import Iterable, Sequence

from apps.speech_commands import recordings
from apps.suite import errors

_DRAWS = 100


def divide(
    source: recordings.Source, fractions: dict[str, float], seed: int
) -> tuple[tuple[str, ...], str]:
    """The part of each recording, and the sentence that says how they were found.

    Parts that the source gives stay as they are. Those that it lacks are taken from its train
    part: whole speakers where all recordings but silence name theirs and there are enough of them,
    so that `fractions[part]` of the speakers, but at least one, are in a part. Of a hundred draws
    that the seed decides, the first is taken in which train has all labels and the other parts
    lack the fewest. Where that cannot be, recordings are taken, the same share of every label.

    Args:
        source: what to divide.
        fractions: of the speakers (or recordings), for `validation` and `test`.
        seed: another one gives another division.

    Raises:
        UserError: a label has too few recordings to be in all parts, or nothing is left to train.
    """
    parts = list(source.parts)
    given = set(parts)
    missing = [part for part in fractions if part not in given]
    told = [f"by {source.divided_by}"] if source.divided_by else []
    if "train" not in given:
        raise errors.UserError(f"{source.source}: no recording is in the part train")
    if missing:
        mine = [index for index, part in enumerate(parts) if part == "train"]
        taken = [source.recordings[index] for index in mine]
        shares = {part: fractions[part] for part in missing}
        names = " and ".join(missing)
        among = f"{names} taken from train " if source.divided_by else ""
        new = _carve_speakers(taken, shares, seed) if _by_speaker(taken, len(missing)) else None
        if new is not None:
            told.append(f"{among}by speaker")
        else:
            new = _carve_recordings(taken, shares, seed, source.source)
            told.append(f"{among}by recording, the same share of every label")
        for index, part in zip(mine, new, strict=True):
            parts[index] = part
    return tuple(parts), f"{', '.join(told)}: {_voices(source.recordings, parts)}"


def in_drawn_order(names: Iterable[str], *seeds: object) -> list[str]:
    """The names in an order that depends on each name and the seeds, not on what else is there."""

    def key(name: str) -> bytes:
        return hashlib.sha256("\n".join([name, *map(str, seeds)]).encode()).digest()

    return sorted(names, key=key)


def _by_speaker(taken: list[recordings.Recording], missing: int) -> bool:
    spoken = [each.speaker for each in taken if each.label != recordings.SILENCE]
    return all(spoken) and len(set(spoken)) > missing


def _carve_speakers(
    taken: list[recordings.Recording], shares: dict[str, float], seed: int
) -> list[str] | None:
    """The part of each recording; None where no draw leaves every label to train."""
    says: dict[str, set[str]] = {}
    for each in taken:
        if each.speaker:
            says.setdefault(each.speaker, set()).add(each.label)
    labels = set().union(*says.values())
    best: tuple[tuple[int, int], dict[str, str]] | None = None
    for draw in range(_DRAWS):
        part_of = _cut(in_drawn_order(says, seed, draw), shares)
        heard: dict[str, set[str]] = {part: set() for part in recordings.PARTS}
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
    silent = [each.name for each in taken if not each.speaker]
    part_of_silent = _cut(in_drawn_order(silent, seed), shares) if len(silent) > 2 else {}
    return [
        best[1][each.speaker] if each.speaker else part_of_silent.get(each.name, "train")
        for each in taken
    ]


def _carve_recordings(
    taken: list[recordings.Recording], shares: dict[str, float], seed: int, source: str
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


def _cut(names: Sequence[str], shares: dict[str, float]) -> dict[str, str]:
    """The part of each name: so many of the first to each of `shares`, the others to train."""
    part_of = dict.fromkeys(names, "train")
    place = 0
    for order, (part, share) in enumerate(shares.items(), 1):
        left_for_others = len(shares) - order + 1
        count = max(1, min(round(share * len(names)), len(names) - place - left_for_others))
        part_of |= dict.fromkeys(names[place : place + count], part)
        place += count
    return part_of


def _voices(found: Sequence[recordings.Recording], parts: Sequence[str]) -> str:
    """How many voices are in the parts, and how many of the test's are heard in training."""
    spoken = [
        (each.speaker, part)
        for each, part in zip(found, parts, strict=True)
        if each.label != recordings.SILENCE
    ]
    if not all(speaker for speaker, _ in spoken):
        return "speakers are not known, so voices of the test may be heard in training"
    voices = {part: {s for s, p in spoken if p == part} for part in recordings.PARTS}
    counts = ", ".join(f"{len(voices[part])} {part}" for part in ("validation", "test"))
    both = len(voices["test"] & voices["train"])
    told = f"{len(voices['train'])} voices train, {counts}"
    return f"{told}; {both} of the test's are heard in training too" if both else told
