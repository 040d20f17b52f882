"""Sounds that are hard on features: speech, silence, clipping, tones, odd lengths."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

SPEECH = Path(__file__).resolve().parents[3] / "../shared/data/fsdd/recordings"


def spoken_files(count):
    """Some recordings of digits at 8 kHz, evenly spread over words and voices."""
    files = sorted(SPEECH.glob("*.wav"))
    if not files:
        pytest.skip("needs the spoken digits, shared/data/fsdd beside the project")
    return files[:: len(files) // count][:count]


def spoken(sample_rate_hz, count=12):
    """Float32 waveforms of real speech."""
    waveforms = []
    for file in spoken_files(count):
        samples, own_rate = soundfile.read(file, dtype="float32")
        waveforms.append(soxr.resample(samples, own_rate, sample_rate_hz))
    return waveforms


def hard(sample_rate_hz):
    """Made sounds, float32 by name, about half a second and at odd lengths."""
    generator = np.random.default_rng(5)
    seconds = np.arange(sample_rate_hz // 2) / sample_rate_hz
    noise = generator.normal(size=len(seconds))
    swell = np.hanning(len(seconds))
    chirp = np.sin(2 * np.pi * 900 * seconds**2 + 400 * seconds) * swell
    sounds = {
        "zeros": np.zeros(sample_rate_hz // 2),
        "noise": 0.05 * noise,
        "rounded near silence": np.round(noise) / 2**15,
        "loud tone": np.sin(2 * np.pi * 440 * seconds),
        "clipped": np.clip(6 * chirp + 0.1 * noise, -1, 1),
        "word in zeros": np.concatenate([np.zeros(999), 0.5 * chirp, np.zeros(1001)]),
        "word in noise": 0.5 * chirp + 0.001 * noise,
        "one loud sample": np.eye(1, sample_rate_hz // 2, 777)[0],
        "constant": np.full(sample_rate_hz // 2, 0.25),
    }
    for length in (0, 1, 2, 37, 255, 256, 257, 511, 512, 513, 1024, 2049, 3777):
        sounds[f"{length} samples"] = 0.3 * noise[:length]
    return {name: sound.astype(np.float32) for name, sound in sounds.items()}
