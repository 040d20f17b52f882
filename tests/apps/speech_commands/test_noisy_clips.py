"""Noise comes from silence that was never learned, at the level that is said."""

import numpy as np
import pytest

from apps.speech_commands import evaluate, recordings

RATE = 8_000


class Part:
    """Words of a tone in their first half, and `silent` clips of loud or no noise."""

    def __init__(self, silent):
        self.silent = silent
        labels = ["no"] * 4 + ["silence"] * len(silent)
        self.recordings = tuple(
            recordings.Recording(f"{at}.wav", label, "") for at, label in enumerate(labels)
        )

    def waveform(self, index):
        if index >= 4:
            return self.silent[index - 4]
        tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
        tone[RATE // 2 :] = 0
        return tone.astype(np.float32)


def square_wave(seed):
    return np.sign(np.random.default_rng(seed).normal(0, 1, RATE)).astype(np.float32)


def heard(part, noise):
    """What is asked at each level, and the accuracies."""
    asked = []

    def ask(waveforms):
        asked.append(list(waveforms))
        return np.eye(2)[[len(asked) % 2] * len(asked[-1])]

    labels = np.zeros(len(part.recordings), int)
    return asked, evaluate.noisy_accuracies(ask, part, labels, noise, RATE, seed=5)


def test_silence_of_the_part_is_the_noise_unless_it_is_digital_silence():
    part = Part([square_wave(0), np.zeros(RATE, np.float32), square_wave(1)])
    noise = evaluate.Noise(part, RATE)
    assert noise.told.startswith("2 test clips of silence")
    excerpt = noise.excerpt(RATE, np.random.default_rng(0))
    assert any(np.array_equal(excerpt, square_wave(seed)) for seed in (0, 1))


def test_without_silence_pink_noise_is_made():
    noise = evaluate.Noise(Part([]), RATE)
    assert noise.told.startswith("pink noise")
    assert noise.excerpt(1_000, np.random.default_rng(0)).shape == (1_000,)


@pytest.mark.parametrize("silent", [[], [square_wave(0)]])
def test_every_clip_is_asked_at_every_level_with_so_much_noise(silent):
    part = Part(silent)
    asked, accuracies = heard(part, evaluate.Noise(part, RATE))
    assert list(accuracies) == list(evaluate.LEVELS_DB) == [20, 10, 5, 0]
    assert list(accuracies.values()) == [0, 1, 0, 1]  # as answered
    for level, clips in zip(evaluate.LEVELS_DB, asked, strict=True):
        assert len(clips) == len(part.recordings)
        clip = part.waveform(2)
        word = slice(0, RATE // 2)  # where it is loud, the level counts
        noise = clips[2][word] - clip[word]
        ratio = 10 * np.log10(np.mean(clip[word] ** 2) / np.mean(noise**2))
        assert ratio == pytest.approx(level, abs=0.2)


def test_the_noise_is_the_same_at_every_level_and_every_time():
    part = Part([square_wave(0), square_wave(1)])
    noise = evaluate.Noise(part, RATE)
    (first, second, *_), _ = heard(part, noise)
    again, _ = heard(part, noise)
    for at in range(4):
        np.testing.assert_array_equal(first[at], again[0][at])
        soft, loud = first[at] - part.waveform(at), second[at] - part.waveform(at)
        assert np.corrcoef(soft, loud)[0, 1] > 0.9999
