"""The test clips once more, in noise that gets louder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from apps.speech_commands import augmentation, continuous_audio, recordings

LEVELS_DB = (20, 10, 5, 0)
"""Signal-to-noise ratios over the active part of a clip."""

_MOST_NOISES = 50
_QUIETEST = 1e-4  # root mean square of what counts as noise


class Noise:
    """What is mixed into clips: the part's own clips of silence, never heard in training.

    Where it has none, pink noise from 50 Hz on is made.

    Attributes:
        told: where it comes from, in words.
    """

    def __init__(self, part: recordings.Part, sample_rate_hz: int) -> None:
        silent = [
            index
            for index, recording in enumerate(part.recordings)
            if recording.label == recordings.SILENCE
        ]
        sounds = (part.waveform(index) for index in silent[:_MOST_NOISES])
        self._rate = sample_rate_hz
        self._sounds = [sound for sound in sounds if np.sqrt(np.mean(sound**2)) > _QUIETEST]
        self.told = "pink noise from 50 Hz on"
        if self._sounds:
            self.told = f"{len(self._sounds)} test clips of silence, which are noise without words"

    def excerpt(self, samples: int, generator: np.random.Generator) -> np.ndarray:
        """Float32 [samples]."""
        if self._sounds:
            return augmentation.excerpt(self._sounds, samples, generator)
        return continuous_audio.pink_noise(samples, self._rate, generator)


def accuracies(
    ask: Callable[[Iterable[np.ndarray]], np.ndarray],
    part: recordings.Part,
    labels: np.ndarray,
    noise: Noise,
    sample_rate_hz: int,
    seed: int,
) -> dict[int, float]:
    """Accuracy by level of `LEVELS_DB`; the same noise at every level.

    Args:
        ask: probabilities [clips, labels] of waveforms.
        part: its clips.
        labels: int [clips], the right ones.
        noise: what is mixed in.
        sample_rate_hz: of the clips.
        seed: of the excerpts.
    """

    def noisy(level: int) -> Iterator[np.ndarray]:
        for index in range(len(part.recordings)):
            clip = part.waveform(index)
            generator = np.random.default_rng([seed, index])
            sound = noise.excerpt(len(clip), generator)
            yield augmentation.mix(clip, sound, level, sample_rate_hz)

    return {
        level: float(np.mean(ask(noisy(level)).argmax(axis=1) == labels)) for level in LEVELS_DB
    }
