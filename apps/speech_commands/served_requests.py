"""The requests that a server warms up with, and Keras's answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps import warmup_requests
from apps.speech_commands import config as configs
from apps.speech_commands import data, listener, sound_examples


def requests(
    trained: keras.Model, label_names: Sequence[str], config: configs.Config
) -> list[warmup_requests.Request]:
    """For each signature one row and several, sounds of several lengths, shorter than a window too.

    The answers come from the model as Keras runs it, operation by operation, and not from the
    functions that are exported.
    """
    names = np.array([name.encode() for name in label_names], object)
    rate, draw = config.audio.sample_rate_hz, np.random.default_rng(0)
    second, short = _sound(rate, rate, draw), _sound(rate, 7, draw)
    three = np.stack([_sound(rate, int(1.37 * rate), draw) for _ in range(3)])
    found = [
        _clips(trained, names, config, sound)
        for sound in (second[None], three, short[None], np.zeros((1, rate), np.float32))
    ]
    several = ([second], [second, short, three[0]])
    found += [_files(trained, names, config, files) for files in several]
    if config.streams:
        hears = listener.Listener(trained, config)
        for sound in (second[None], three):
            found += _stream(hears, names, sound)
    return found


def _clips(
    trained: keras.Model, names: np.ndarray, config: configs.Config, waveform: np.ndarray
) -> warmup_requests.Request:
    probabilities = np.concatenate([_ask(trained, config, row) for row in waveform])
    return warmup_requests.Request(
        "serving_default", {"waveform": waveform}, _answers(names, probabilities)
    )


def _files(
    trained: keras.Model, names: np.ndarray, config: configs.Config, sounds: Sequence[np.ndarray]
) -> warmup_requests.Request:
    rate = config.audio.sample_rate_hz
    files = [sound_examples.wav(sound, rate) for sound in sounds]
    read = [np.round(sound * 32768).clip(-32768, 32767) / 32768 for sound in sounds]
    probabilities = np.concatenate(
        [_ask(trained, config, sound.astype(np.float32)) for sound in read]
    )
    return warmup_requests.Request(
        "wav", {"wav": np.array(files, object)}, _answers(names, probabilities)
    )


def _stream(
    hears: listener.Listener, names: np.ndarray, sound: np.ndarray
) -> list[warmup_requests.Request]:
    """A chunk from the beginning, one that goes on, and one that is too short for an answer."""
    batch, length = sound.shape
    states = {name: np.zeros((batch, 0), np.float32) for name in hears.initial_states(1)}
    after = hears.initial_states(batch)
    found = []
    for chunk in np.split(sound, [length // 2, length - 3], axis=1):
        probabilities, after = hears(tf.constant(chunk), after)
        newest = probabilities[:, -1:].numpy().argmax(axis=2)
        labels = [b"".join(names[row]) for row in newest]
        rows = {name: state.numpy().reshape(batch, -1) for name, state in after.items()}
        answers = {
            "probabilities": probabilities.numpy(),
            "label": np.array(labels, object),
            "label_names": names,
            **rows,
        }
        found.append(warmup_requests.Request("stream", {"chunk": chunk, **states}, answers))
        states = rows
    return found


def _ask(trained: keras.Model, config: configs.Config, sound: np.ndarray) -> np.ndarray:
    """Probabilities [1, labels] of one clip, without any padding."""
    features = data.preprocess(tf.constant(sound[None]), config)
    frames = tf.constant([features.shape[1]])
    clip = {"features": features, "context_frames": tf.zeros_like(frames), "frames": frames}
    return np.asarray(keras.ops.softmax(trained(clip, training=False)))


def _answers(names: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    return {
        "label": names[probabilities.argmax(axis=1)],
        "label_names": names,
        "probabilities": probabilities,
    }


def _sound(rate: int, samples: int, draw: np.random.Generator) -> np.ndarray:
    """A rising tone with overtones over noise, float32 [samples]."""
    times = np.arange(samples) / rate
    phase = 2 * np.pi * (draw.uniform(80, 200) * times + draw.uniform(50, 200) * times**2)
    tone = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 8))
    loudness = np.clip(np.sin(np.pi * times / max(times[-1], 1e-3)), 0, 1)
    return (0.2 * tone * loudness + draw.normal(0, 0.01, samples)).astype(np.float32)
