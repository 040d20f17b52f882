"""Each word's threshold: chosen on validation streams, kept in thresholds.json of a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from apps import errors, json_files
from apps.speech_commands import continuous_audio, detection_measures

FILE = "thresholds.json"


def choose(
    streams: Sequence[continuous_audio.Heard],
    label_names: Sequence[str],
    timing: Mapping[str, float],
    false_accepts_per_hour: float,
) -> dict[str, float]:
    """Thresholds with the fewest errors on commands, at most so many false accepts an hour.

    An error is a miss or a wrong detection. The words share the false accepts that are allowed:
    each begins where it has none, and they go, one after the other, to the word that makes the
    fewest errors for one more. Between thresholds that do equally well the middle one is taken.

    Args:
        streams: of the validation part, with posteriors.
        label_names: of their columns.
        timing: the keyword arguments of `detector.Detector`.
        false_accepts_per_hour: over all words; with too little sound for one, none is allowed.
    """
    words = continuous_audio.words(label_names)
    curve = detection_measures.curve(streams, label_names, timing)
    false = np.array([counts.false for counts in curve])  # [thresholds, words]
    failed = np.array([counts.said - counts.hits + counts.wrong for counts in curve])
    allowed = int(false_accepts_per_hour * curve[0].no_command_seconds / 3600)
    # A word alone may do otherwise than beside the others, whose cool-down hides it: so look.
    for shared in range(allowed, -1, -1):
        chosen = dict(zip(words, _share(false, failed, shared), strict=True))
        counts = detection_measures.count_all(chosen, streams, label_names, timing)
        if counts.false.sum() <= allowed:
            break
    return chosen


def write(folder: Path, thresholds: Mapping[str, float]) -> None:
    """Writes `folder/thresholds.json`."""
    json_files.write(folder / FILE, thresholds)


def read(folder: Path) -> dict[str, float]:
    """What `write` wrote; UserError where it is missing or damaged."""
    values = json_files.read(folder / FILE)
    if not all(isinstance(value, int | float) and value > 0 for value in values.values()):
        raise errors.UserError(f"{folder / FILE}: needs numbers above 0; evaluate the run again")
    return values


def _share(false: np.ndarray, failed: np.ndarray, allowed: int) -> list[float]:
    """A threshold for each word from its errors [thresholds, words], with `allowed` false accepts.

    A word that makes false accepts at every threshold gets the highest one.
    """
    columns = range(false.shape[1])
    at = [_best(false[:, word], failed[:, word], int(false[:, word].min())) for word in columns]
    left = allowed - sum(int(false[at[word], word]) for word in columns)
    while True:
        best_rate, step = 0.0, None
        for word in columns:
            for row in range(len(false)):
                more = int(false[row, word] - false[at[word], word])
                gained = int(failed[at[word], word] - failed[row, word])
                if 0 < more <= left and gained / more > best_rate:
                    best_rate, step = gained / more, (word, row, more)
        if step is None:
            break
        word, row, more = step
        at[word] = _best(false[:, word], failed[:, word], int(false[row, word]))
        left -= more
    return [_middle(false[:, word], failed[:, word], at[word]) for word in columns]


def _best(false: np.ndarray, failed: np.ndarray, most_false: int) -> int:
    """The row with the fewest errors of those with at most so many false accepts."""
    return int(np.argmin(np.where(false <= most_false, failed, np.iinfo(np.int64).max)))


def _middle(false: np.ndarray, failed: np.ndarray, at: int) -> float:
    """The middle one of the neighbouring thresholds that do as well as row `at`."""
    same = (false == false[at]) & (failed == failed[at])
    first = last = at
    while first > 0 and same[first - 1]:
        first -= 1
    while last + 1 < len(same) and same[last + 1]:
        last += 1
    return float(detection_measures.THRESHOLDS[(first + last) // 2])
