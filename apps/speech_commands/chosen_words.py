"""Which labels are told apart, and how many recordings of the others are kept."""

from collections.abc import Sequence

from apps import errors
from apps.speech_commands import recordings, speakers

Found = dict[str, list[tuple[recordings.Recording, recordings.Place]]]
"""Recordings by part, in the order in which the source has them, each with its place."""


def choose(
    source: recordings.Source, parts: Sequence[str], words: Sequence[str], seed: int
) -> Found:
    """The recordings by part, those of other labels than `words` as "unknown"; no words = all.

    "silence" stays what it is. Of "unknown" a part keeps as many as its words have on average;
    which ones depends on their names and the seed.

    Raises:
        UserError: one of the words is no label of the data.
    """
    labels = {recording.label for recording in source.recordings}
    strange = [word for word in words if word not in labels]
    if strange:
        raise errors.UserError(
            f"audio.words: {strange[0]!r} is no label of {source.source}; "
            f"its labels are {', '.join(recordings.label_names(labels))}"
        )
    kept = {*words, recordings.SILENCE} if words else labels
    found: Found = {part: [] for part in recordings.PARTS}
    for recording, place, part in zip(source.recordings, source.places, parts, strict=True):
        if recording.label not in kept:
            recording = recording._replace(label=recordings.UNKNOWN)
        found[part].append((recording, place))
    if words:
        for part, pairs in found.items():
            found[part] = _fewer_unknown(pairs, seed)
    return found


def silence_count(found: Sequence[recordings.Recording]) -> int:
    """How many clips of silence go with them: a word's mean, at most a tenth of all words'."""
    mean, total = _of_words(found)
    return max(1, min(round(mean), round(0.1 * total)))


def _fewer_unknown(
    pairs: list[tuple[recordings.Recording, recordings.Place]], seed: int
) -> list[tuple[recordings.Recording, recordings.Place]]:
    mean, _ = _of_words([recording for recording, _ in pairs])
    unknown = [each.name for each, _ in pairs if each.label == recordings.UNKNOWN]
    kept = set(speakers.in_drawn_order(unknown, seed)[: max(1, round(mean))])
    return [
        (each, place)
        for each, place in pairs
        if each.label != recordings.UNKNOWN or each.name in kept
    ]


def _of_words(found: Sequence[recordings.Recording]) -> tuple[float, int]:
    """Mean recordings of a word, and all words' together."""
    names = [each.label for each in found]
    words = set(names) - {recordings.SILENCE, recordings.UNKNOWN}
    total = sum(name in words for name in names)
    return total / max(1, len(words)), total
