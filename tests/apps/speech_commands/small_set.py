"""Sounds that a small model can tell apart in seconds: tones of a pitch for each label, in noise.

Made anew for each test; written as a csv of wav files where a command needs data.
"""

import csv

import numpy as np
import soundfile

from apps.speech_commands import config as configs
from apps.suite.sounds import features as reference_features
from apps.suite.sounds.feature_cache import FeatureSet

RATE_HZ = 8_000
AUDIO = configs.AudioConfig(sample_rate_hz=RATE_HZ, clip_seconds=0.3)
PITCHES_HZ = {"high": 2_500.0, "low": 300.0, "middle": 1_000.0}
LABELS = tuple(PITCHES_HZ)


def waveform(label, draw):
    seconds = draw.uniform(0.2, 0.4)
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    pitch = PITCHES_HZ[label] * draw.uniform(0.9, 1.1)
    tone = draw.uniform(0.05, 0.5) * np.sin(2 * np.pi * pitch * time + draw.uniform(0, 6))
    return (tone + draw.normal(0, 0.01, len(time))).astype("float32")


def features(count, seed, settings=configs.FeatureConfig()):
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % len(LABELS)
    frames = [
        reference_features.extract(waveform(LABELS[label], draw), AUDIO, settings)
        for label in labels
    ]
    starts = np.concatenate([[0], np.cumsum([len(part) for part in frames])])
    return FeatureSet(
        np.concatenate(frames), starts, labels.astype("int32"), np.arange(count, dtype="int32")
    )


def write_csv(folder, counts):
    """Writes `counts[part]` recordings of each part and `folder/sounds.csv`; returns its path."""
    draw, rows = np.random.default_rng(0), []
    for part, count in counts.items():
        for number in range(count):
            label = LABELS[number % len(LABELS)]
            name = f"{part}_{number}.wav"
            soundfile.write(folder / name, waveform(label, draw), RATE_HZ, subtype="PCM_16")
            rows.append([name, label, f"voice {number % 3}", part])
    file = folder / "sounds.csv"
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([["path", "label", "speaker", "part"], *rows])
    return file
