"""Measures how well a recogniser detects words in streams, and chooses its thresholds.

A command is a clip of a word. The first detection of its word, from the clip's start to
`LATEST_SECONDS` after its end, is a hit. Any other detection from the clip's start to
`PAUSE_SECONDS` after its end is a wrong one (another word), and so is the same word once more. All
other detections, in pauses, noise and other words, are false accepts.

Streams are laid out from clips: every clip of a part comes once, in a random order, after a random
pause, with low noise under the stream. Words have to be heard; pauses, noise and other words must
not be taken for one.

The words' thresholds are chosen on validation streams, and kept in thresholds.json of a run folder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.speech_commands import detector, recordings
from apps.suite import errors
from apps.suite.runs import files

OTHER_LABELS = (recordings.SILENCE, recordings.UNKNOWN)
"""Labels that are not words to be heard."""

SHORTEST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 2.0
NOISE_DB = -30.0
"""Level of the noise under a stream, from the mean level of its clips."""

_FADE_SECONDS = 0.01  # at both ends of a clip, which was cut out of its own noise


class Event(NamedTuple):
    """A clip in a stream."""

    start_seconds: float
    end_seconds: float
    label: str
    recording: int  # index in the part


class Stream(NamedTuple):
    """Some minutes of sound, float32 [samples], and its events in order."""

    samples: np.ndarray
    events: tuple[Event, ...]


class Heard(NamedTuple):
    """Answers of a recogniser to a stream, without the sound."""

    posteriors: np.ndarray  # float32 [frames, labels]
    events: tuple[Event, ...]
    seconds: float


def spoken_words(label_names: Sequence[str]) -> tuple[str, ...]:
    """Returns the labels that a stream is searched for."""
    return tuple(name for name in label_names if name not in OTHER_LABELS)


def lay_out(
    part: recordings.Part,
    sample_rate_hz: int,
    seed: int,
    *,
    stream_seconds: float = 120.0,
    most_clips: int = 3_000,
) -> Iterator[Stream]:
    """Lays out the part's clips as streams of about `stream_seconds`, by the seed alone.

    Args:
        part: its clips; of a larger one `most_clips` are drawn.
        sample_rate_hz: of the clips.
        seed: of order, pauses and noise.
        stream_seconds: a stream ends with the clip that makes it so long.
        most_clips: bounds the work on large data.
    """
    generator = np.random.default_rng([seed, 0x57EA])  # apart from what else uses the seed
    order = generator.permutation(len(part.recordings))[:most_clips]
    pieces: list[np.ndarray] = []
    events: list[Event] = []
    length = 0
    for index in order:
        clip = _faded(part.waveform(int(index)), round(_FADE_SECONDS * sample_rate_hz))
        pause = _pause(generator, sample_rate_hz)
        start, length = length + len(pause), length + len(pause) + len(clip)
        label = part.recordings[index].label
        events.append(Event(start / sample_rate_hz, length / sample_rate_hz, label, int(index)))
        pieces += [pause, clip]
        if length >= stream_seconds * sample_rate_hz:
            yield _finished(pieces, events, generator, sample_rate_hz)
            pieces, events, length = [], [], 0
    if events:
        yield _finished(pieces, events, generator, sample_rate_hz)


def excerpt(stream: Stream, event: Event, sample_rate_hz: int) -> np.ndarray:
    """Returns the samples of a clip in the stream, with the noise under them."""
    start, end = (round(at * sample_rate_hz) for at in (event.start_seconds, event.end_seconds))
    return stream.samples[start:end]


def pink_noise(samples: int, sample_rate_hz: int, generator: np.random.Generator) -> np.ndarray:
    """Makes noise with equal power in every octave, float32 [samples], root mean square 1.

    It begins at 50 Hz: half of the power of a minute would lie where nobody hears it.
    """
    frequencies = np.fft.rfftfreq(max(samples, 2), 1 / sample_rate_hz)
    spectrum = np.fft.rfft(generator.standard_normal(max(samples, 2)))
    spectrum *= np.where(frequencies < 50, 0, 1 / np.sqrt(np.maximum(frequencies, 50)))
    noise = np.fft.irfft(spectrum, max(samples, 2))[:samples]
    return (noise / max(_level(noise), 1e-9)).astype(np.float32)


def _finished(
    pieces: list[np.ndarray],
    events: list[Event],
    generator: np.random.Generator,
    sample_rate_hz: int,
) -> Stream:
    """Joins the pieces and a last pause, with noise under them."""
    samples = np.concatenate([*pieces, _pause(generator, sample_rate_hz)])
    level = _level(np.concatenate(pieces[1::2])) * 10 ** (NOISE_DB / 20)
    samples += np.float32(level) * pink_noise(len(samples), sample_rate_hz, generator)
    return Stream(samples, tuple(events))


def _pause(generator: np.random.Generator, sample_rate_hz: int) -> np.ndarray:
    seconds = generator.uniform(SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
    return np.zeros(round(seconds * sample_rate_hz), np.float32)


def _faded(clip: np.ndarray, samples: int) -> np.ndarray:
    samples = min(samples, len(clip) // 2)
    ramp = np.linspace(0, 1, samples, endpoint=False, dtype=np.float32)
    faded = clip.astype(np.float32)
    faded[:samples] *= ramp
    faded[len(faded) - samples :] *= ramp[::-1]
    return faded


def _level(samples: np.ndarray) -> float:
    return math.sqrt(float(np.mean(np.square(samples, dtype=np.float64))))


LATEST_SECONDS = 1.0
"""After a command's end: a stream pools about as much, so a word is still in it."""

PAUSE_SECONDS = SHORTEST_PAUSE_SECONDS
"""After a command's end; the next clip has not begun by then."""

THRESHOLDS = np.concatenate([np.arange(0.1, 0.9, 0.02), 1 - np.geomspace(0.1, 1e-3, 25)])
"""Tried ones, rising: closer together towards 1, where a good model's words are."""


class Counts(NamedTuple):
    """Counts by word, int [words]; `wrong` and `false` count under the detected word."""

    said: np.ndarray
    hits: np.ndarray
    wrong: np.ndarray
    false: np.ndarray
    no_command_seconds: float  # of the streams: where a detection is a false accept
    seconds: float  # of the streams

    @property
    def miss_rate(self) -> float:
        """Returns the share of the commands that were not heard."""
        return 1 - float(self.hits.sum()) / max(1, int(self.said.sum()))

    @property
    def wrong_rate(self) -> float:
        """Returns the wrong detections per command."""
        return float(self.wrong.sum()) / max(1, int(self.said.sum()))

    @property
    def false_accepts_per_hour(self) -> float:
        """Detections in an hour in which no command is said."""
        return float(self.false.sum()) / max(self.no_command_seconds, 1e-9) * 3600


def count(
    detections: Sequence[detector.Detection],
    heard: Heard,
    words: Sequence[str],
) -> Counts:
    """Classifies every command and every detection of a stream."""
    said, hits, wrong, false = (np.zeros(len(words), np.int64) for _ in range(4))
    at = {word: place for place, word in enumerate(words)}
    commands = [event for event in heard.events if event.label in at]
    for event in commands:
        said[at[event.label]] += 1
    answered: set[Event] = set()
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
    streams: Sequence[Heard],
    label_names: Sequence[str],
    timing: Mapping[str, float],
) -> Counts:
    """Counts detections over streams, with a threshold for each word.

    Args:
        thresholds: of every word.
        streams: with posteriors of the labels, at least one stream.
        label_names: of the columns.
        timing: the keyword arguments of `detector.Detector`.
    """
    finder = detector.Detector(label_names, thresholds, **timing)
    words = spoken_words(label_names)
    found = [
        count(finder.detect(heard.posteriors, finder.initial_state())[0], heard, words)
        for heard in streams
    ]
    return _summed(found)


def detection_curve(
    streams: Sequence[Heard],
    label_names: Sequence[str],
    timing: Mapping[str, float],
) -> list[Counts]:
    """Counts at each of `THRESHOLDS`, the same for all words; arguments as in `count_all`."""
    words = spoken_words(label_names)
    return [
        count_all(dict.fromkeys(words, float(threshold)), streams, label_names, timing)
        for threshold in THRESHOLDS
    ]


THRESHOLDS_FILE = "thresholds.json"
_FOLDS = 5


def choose_thresholds(
    streams: Sequence[Heard],
    label_names: Sequence[str],
    timing: Mapping[str, float],
    false_accepts_per_hour: float,
) -> dict[str, float]:
    """Chooses thresholds with the fewest errors on commands within a rate of false accepts.

    An error is a miss or a wrong detection. Either one threshold holds for all words, or each word
    has its own. Its own ones fit the streams better, and may do so by chance: half an hour without
    commands has a handful of false accepts for all words together. So they are taken only where,
    chosen on four fifths of the streams, they do better than one for all on the last fifth, over
    all five; fewer than five streams have one for all.

    Of its own ones each word begins where it has no false accept, and those that are allowed go,
    one after the other, to the word that makes the fewest errors for one more. Between thresholds
    that do equally well the middle one is taken.

    Args:
        streams: of the validation part, with posteriors.
        label_names: of their columns.
        timing: the keyword arguments of `detector.Detector`.
        false_accepts_per_hour: over all words; with too little sound for one, none is allowed.
    """
    curves = [detection_curve([heard], label_names, timing) for heard in streams]

    def chosen(of: Sequence[int], each_its_own: bool) -> dict[str, float]:
        curve = [_summed(row) for row in zip(*(curves[at] for at in of), strict=True)]
        allowed = int(false_accepts_per_hour * curve[0].no_command_seconds / 3600)
        if not each_its_own:
            false = np.array([counts.false.sum() for counts in curve])
            failed = np.array([_failed(counts).sum() for counts in curve])
            at = _best(false, failed, max(allowed, int(false.min())))
            return dict.fromkeys(spoken_words(label_names), _middle(false, failed, at))
        return _of_each_word(curve, allowed, [streams[at] for at in of], label_names, timing)

    def held_out(each_its_own: bool) -> Counts:
        found = []
        for fold in range(_FOLDS):
            others = [at for at in range(len(streams)) if at % _FOLDS != fold]
            thresholds = chosen(others, each_its_own)
            found.append(count_all(thresholds, streams[fold::_FOLDS], label_names, timing))
        return _summed(found)

    each_its_own = False
    if len(streams) >= _FOLDS:
        one, own = held_out(False), held_out(True)
        allowed = false_accepts_per_hour * one.no_command_seconds / 3600
        keeps = own.false.sum() <= max(allowed, one.false.sum())
        each_its_own = keeps and _failed(own).sum() < _failed(one).sum()
    return chosen(range(len(streams)), each_its_own)


def _of_each_word(
    curve: Sequence[Counts],
    allowed: int,
    streams: Sequence[Heard],
    label_names: Sequence[str],
    timing: Mapping[str, float],
) -> dict[str, float]:
    """Chooses each word's threshold by the counts at each of `THRESHOLDS`."""
    words = spoken_words(label_names)
    false = np.array([counts.false for counts in curve])  # [thresholds, words]
    failed = np.array([_failed(counts) for counts in curve])
    # A word alone may do otherwise than beside the others, whose cool-down hides it: so look.
    for shared in range(allowed, -1, -1):
        chosen = dict(zip(words, _share(false, failed, shared), strict=True))
        counts = count_all(chosen, streams, label_names, timing)
        if counts.false.sum() <= allowed:
            break
    return chosen


def _failed(counts: Counts) -> np.ndarray:
    """Returns the errors on commands by word."""
    return counts.said - counts.hits + counts.wrong


def _summed(counts: Sequence[Counts]) -> Counts:
    return Counts._make(np.sum(field, axis=0) for field in zip(*counts, strict=True))


def write_thresholds(folder: Path, thresholds: Mapping[str, float]) -> None:
    """Writes `folder/thresholds.json`."""
    files.write_json(folder / THRESHOLDS_FILE, thresholds)


def read_thresholds(folder: Path) -> dict[str, float]:
    """Reads the result of `write_thresholds`. Raises UserError if it is missing or damaged."""
    values = files.read_json(folder / THRESHOLDS_FILE)
    if not all(isinstance(value, int | float) and value > 0 for value in values.values()):
        raise errors.UserError(
            f"{folder / THRESHOLDS_FILE}: needs numbers above 0; evaluate the run again"
        )
    return values


def _share(false: np.ndarray, failed: np.ndarray, allowed: int) -> list[float]:
    """Chooses thresholds by errors [thresholds, words], with `allowed` false accepts.

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
    """Returns the row with the fewest errors among rows with at most `most_false` false accepts."""
    return int(np.argmin(np.where(false <= most_false, failed, np.iinfo(np.int64).max)))


def _middle(false: np.ndarray, failed: np.ndarray, at: int) -> float:
    """Returns the middle of the neighbouring thresholds that do as well as row `at`."""
    same = (false == false[at]) & (failed == failed[at])
    first = last = at
    while first > 0 and same[first - 1]:
        first -= 1
    while last + 1 < len(same) and same[last + 1]:
        last += 1
    return float(THRESHOLDS[(first + last) // 2])
