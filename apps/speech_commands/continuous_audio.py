"""Streams laid out from clips, to judge a recogniser on sound that goes on.

Every clip of a part comes once, in a random order, after a random pause; low noise lies under all
of it. The words are what has to be heard; pauses, noise and other words are what must not be
taken for one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from apps.speech_commands import recordings

OTHER_LABELS = (recordings.SILENCE, recordings.UNKNOWN)
"""Labels that are no words to be heard."""

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
    """Some minutes of sound, float32 [samples], and what is in it, in order."""

    samples: np.ndarray
    events: tuple[Event, ...]


class Heard(NamedTuple):
    """What a recogniser made of a stream, kept without the sound."""

    posteriors: np.ndarray  # float32 [frames, labels]
    events: tuple[Event, ...]
    seconds: float


def words(label_names: Sequence[str]) -> tuple[str, ...]:
    """The labels that a stream is searched for."""
    return tuple(name for name in label_names if name not in OTHER_LABELS)


def lay_out(
    part: recordings.Part,
    sample_rate_hz: int,
    seed: int,
    *,
    stream_seconds: float = 120.0,
    most_clips: int = 3_000,
) -> Iterator[Stream]:
    """The part's clips as streams of about `stream_seconds`; the same seed gives the same ones.

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
    """The samples of a clip as they are in the stream, with the noise under them."""
    start, end = (round(at * sample_rate_hz) for at in (event.start_seconds, event.end_seconds))
    return stream.samples[start:end]


def pink_noise(samples: int, sample_rate_hz: int, generator: np.random.Generator) -> np.ndarray:
    """Noise with equal power in every octave, float32 [samples], its root mean square 1.

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
    """The pieces, a last pause, and the noise under them."""
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
