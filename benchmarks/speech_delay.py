"""Time that writing speech down takes, and the time by which a stream's letters lag behind it.

    python benchmarks/speech_delay.py RUN [--recordings 60]

RUN is a finished run of speech_to_text. Of test recordings with little noise, heard in chunks of 10
ms, it prints quantiles of: the first letter after the beginning of the voice, and the last letter
after its end. Voice is where the power of 20 ms is within 30 dB of the loudest. And the processor's
seconds to a second of sound: whole recordings with the language model, and streams in chunks of 100
ms.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.speech_to_text import data, model, serving, trained_model
from apps.suite.sounds import augmentation

LEAST_SNR_DB = 30.0
QUANTILES = (0.1, 0.5, 0.9)


class Stream:
    """Hears recordings in chunks."""

    def __init__(self, trained: trained_model.TrainedModel) -> None:
        self.alphabet, self.rate = trained.alphabet, trained.config.audio.sample_rate_hz
        self.listener = model.Listener(trained.model, trained.config, trained.alphabet)
        specs = tf.TensorSpec([None, None]), self.listener.state_specs(), tf.TensorSpec([], tf.bool)
        self.step = tf.function(self.listener, autograph=False).get_concrete_function(*specs)

    def heard(self, sound: np.ndarray, chunk_seconds: float) -> Iterator[tuple[float, str]]:
        """Seconds that were heard, and all that was written by then."""
        states, told, size = self.listener.initial_states(1), "", round(chunk_seconds * self.rate)
        for start in range(0, len(sound), size):
            chunk, is_last = sound[None, start : start + size], start + size >= len(sound)
            text, tail, states = self.step(tf.constant(chunk), states, tf.constant(is_last))
            told += self._spelled(text)
            yield (start + chunk.shape[1]) / self.rate, (told + self._spelled(tail)).strip()

    def _spelled(self, labels: Any) -> str:
        return "".join(self.alphabet[at] for at in labels.numpy()[0] if at >= 0)


def delays(stream: Stream, sound: np.ndarray) -> tuple[float, float] | None:
    """Delay of the first and of the last letter, in seconds; None where nothing was written."""
    active = np.flatnonzero(augmentation.active_frames(sound, stream.rate))
    heard = list(stream.heard(sound, 0.01))
    whole = heard[-1][1]
    if not whole:
        return None
    first = next(seconds for seconds, text in heard if text)
    last = next(seconds for seconds, text in heard if text == whole)
    return first - 0.02 * active[0], last - 0.02 * (active[-1] + 1)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--recordings", type=int, default=60, help="(default %(default)s)")
    options = parser.parse_args(arguments)
    trained = trained_model.load(options.run)
    part = data.load(trained.config).test
    sounds = [part.waveform(at) for at in range(min(options.recordings, len(part.recordings)))]
    seconds = sum(map(len, sounds)) / trained.config.audio.sample_rate_hz
    stream = Stream(trained)
    ask = serving.ServedText(trained).signatures()["serving_default"]
    ways = {
        "whole, with the language model": lambda sound: ask(tf.constant(sound[None])),
        "stream, chunks of 100 ms": lambda sound: list(stream.heard(sound, 0.1)),
    }
    for name, hear in ways.items():
        for sound in sounds:  # the first time, shapes are made ready
            hear(sound)
        began = time.process_time()
        for sound in sounds:
            hear(sound)
        used = time.process_time() - began
        print(f"{name}: {used / seconds:.4f} processor seconds to a second of sound")
    clear = [
        at for at, each in enumerate(part.recordings) if (each.snr_db or np.inf) >= LEAST_SNR_DB
    ]
    found = [delays(stream, part.waveform(at)) for at in clear[: options.recordings]]
    table = np.array([each for each in found if each is not None])
    for name, column in zip(("first letter", "last letter"), table.T, strict=True):
        told = ", ".join(f"{value:.2f}" for value in np.quantile(column, QUANTILES))
        print(f"{name}: {told} s after the voice ({len(column)} recordings; quantiles .1, .5, .9)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
