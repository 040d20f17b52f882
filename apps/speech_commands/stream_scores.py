"""Streams of a part's clips through a model: what it answers in them, beside clips alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np

from apps.speech_commands import config as configs
from apps.speech_commands import continuous_audio, listener, recordings
from apps.speech_commands.clip_probabilities import ClipProbabilities


class Heard(NamedTuple):
    """A part, heard as streams."""

    streams: list[continuous_audio.Heard]
    accuracy: float  # of the answer at each clip's end
    clip_accuracy: float  # of the same stretches of sound as clips of their own
    beginning: np.ndarray  # float32 [samples], of the first stream


def hear(
    trained: keras.Model,
    config: configs.Config,
    label_names: tuple[str, ...],
    part: recordings.Part,
    seed: int,
    kept_seconds: float = 20.0,
) -> Heard:
    """Lays the part's clips out (`continuous_audio.lay_out`), and listens to them.

    Args:
        trained: what `model.build` returned, with a causal layer.
        config: its config.
        label_names: of its classes.
        part: which clips.
        seed: of the layout.
        kept_seconds: of the first stream, to be shown.
    """
    rate = config.audio.sample_rate_hz
    hears = listener.Listener(trained, config)
    ask = ClipProbabilities(trained, config)
    alone: list[np.ndarray] = []
    beginning: list[np.ndarray] = []

    def streams() -> Iterator[continuous_audio.Stream]:
        for stream in continuous_audio.lay_out(part, rate, seed):
            if not beginning:
                beginning.append(stream.samples[: round(kept_seconds * rate)])
            clips = (continuous_audio.excerpt(stream, event, rate) for event in stream.events)
            alone.append(ask(clips))
            yield stream

    heard = list(listener.hear(hears, streams()))
    labels, at_the_end = [], []
    for stream in heard:
        for event in stream.events:
            frame = hears.frames(round(event.end_seconds * rate)) - 1
            labels.append(label_names.index(event.label))
            at_the_end.append(stream.posteriors[frame].argmax())
    in_clips = np.concatenate(alone).argmax(axis=1)
    return Heard(
        heard,
        float(np.mean(np.array(at_the_end) == labels)),
        float(np.mean(in_clips == labels)),
        beginning[0],
    )
