"""How well the words of streams were detected: heard, missed, wrong, and made up.

A command is a clip of a word. The first detection of its word, from the clip's start to
`LATEST_SECONDS` after its end, is a hit. Any other detection from the clip's start to
`PAUSE_SECONDS` after its end is a wrong one (another word), and so is the same word once more. All
other detections, in pauses, noise and other words, are false accepts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from apps.speech_commands import continuous_audio, detector

LATEST_SECONDS = 1.0
"""After a command's end: a stream pools about as much, so a word is still in it."""

PAUSE_SECONDS = continuous_audio.SHORTEST_PAUSE_SECONDS
"""After a command's end; the next clip has not begun by then."""

THRESHOLDS = np.concatenate([np.arange(0.1, 0.9, 0.02), 1 - np.geomspace(0.1, 1e-3, 25)])
"""Tried ones, rising: closer together towards 1, where a good model's words are."""


class Counts(NamedTuple):
    """Of each word, int [words]; `wrong` and `false` count under the word that was detected."""

    said: np.ndarray
    hits: np.ndarray
    wrong: np.ndarray
    false: np.ndarray
    no_command_seconds: float  # of the streams: where a detection is a false accept
    seconds: float  # of the streams

    @property
    def miss_rate(self) -> float:
        """Share of the commands that were not heard."""
        return 1 - float(self.hits.sum()) / max(1, int(self.said.sum()))

    @property
    def wrong_rate(self) -> float:
        """Wrong detections for each command."""
        return float(self.wrong.sum()) / max(1, int(self.said.sum()))

    @property
    def false_accepts_per_hour(self) -> float:
        """Detections in an hour in which no command is said."""
        return float(self.false.sum()) / max(self.no_command_seconds, 1e-9) * 3600


def count(
    detections: Sequence[detector.Detection],
    heard: continuous_audio.Heard,
    words: Sequence[str],
) -> Counts:
    """What became of every command of a stream, and of every detection."""
    said, hits, wrong, false = (np.zeros(len(words), np.int64) for _ in range(4))
    at = {word: place for place, word in enumerate(words)}
    commands = [event for event in heard.events if event.label in at]
    for event in commands:
        said[at[event.label]] += 1
    answered: set[continuous_audio.Event] = set()
    for detection in detections:
        word, seconds = at[detection.word], detection.seconds
        begun = [event for event in commands if event.start_seconds <= seconds]
        late = [event for event in begun if seconds <= event.end_seconds + LATEST_SECONDS]
        meant = [event for event in late if event.label == detection.word]
        unanswered = [event for event in meant if event not in answered]
        if unanswered:
            answered.add(unanswered[0])
            hits[word] += 1
        elif meant or any(seconds <= event.end_seconds + PAUSE_SECONDS for event in late):
            wrong[word] += 1
        else:
            false[word] += 1
    ends = [min(event.end_seconds + PAUSE_SECONDS, heard.seconds) for event in commands]
    in_commands = sum(ends) - sum(event.start_seconds for event in commands)
    return Counts(said, hits, wrong, false, heard.seconds - in_commands, heard.seconds)


def count_all(
    thresholds: Mapping[str, float],
    streams: Sequence[continuous_audio.Heard],
    label_names: Sequence[str],
    timing: Mapping[str, float],
) -> Counts:
    """The counts over streams with a threshold by word.

    Args:
        thresholds: of every word.
        streams: with posteriors of the labels, at least one stream.
        label_names: of the columns.
        timing: the keyword arguments of `detector.Detector`.
    """
    finder = detector.Detector(label_names, thresholds, **timing)
    words = continuous_audio.words(label_names)
    found = [
        count(finder.detect(heard.posteriors, finder.initial_state())[0], heard, words)
        for heard in streams
    ]
    return Counts._make(np.sum(field, axis=0) for field in zip(*found, strict=True))


def curve(
    streams: Sequence[continuous_audio.Heard],
    label_names: Sequence[str],
    timing: Mapping[str, float],
) -> list[Counts]:
    """The counts at each of `THRESHOLDS`, the same for all words; arguments as of `count_all`."""
    words = continuous_audio.words(label_names)
    return [
        count_all(dict.fromkeys(words, float(threshold)), streams, label_names, timing)
        for threshold in THRESHOLDS
    ]
