"""A trained model over raw samples as they come: features, recogniser and states in one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from apps.speech_commands import config as configs
from apps.speech_commands import (
    continuous_audio,
    model,
    reference_features,
    served_features,
    streaming_model,
)

_ROWS = 8  # streams side by side: a small step costs the same for one and for some
_BLOCK_SECONDS = 10.0  # read at a time; bounds the memory, and changes no answer

States = dict[str, tf.Tensor]


class Listener:
    """Turns the samples of streams into probabilities, a chunk at a time.

    Args:
        trained: what `model.build` returned, with a causal layer.
        config: its config.

    Attributes:
        first_seconds: of sound, when the first answer is there.
        frame_seconds: from one answer to the next.

    Raises:
        ValueError: a model that needs what comes later.
    """

    def __init__(self, trained: keras.Model, config: configs.Config) -> None:
        sizes = reference_features.frame_sizes(config.audio, config.features)
        self.classifier = streaming_model.StreamingClassifier(trained, config)
        self.audio, self.features = config.audio, config.features
        self._window = sizes.window
        self._hop = sizes.hop * model.frame_stride(config)
        self.first_seconds = self._window / self.audio.sample_rate_hz
        self.frame_seconds = self._hop / self.audio.sample_rate_hz

    def initial_states(self, batch: int | tf.Tensor) -> States:
        """Before the first sample: float32 tensors by name, the batch first."""
        return {
            **served_features.initial_state(batch, self.audio, self.features),
            **self.classifier.initial_states(batch),
        }

    def state_specs(self) -> dict[str, tf.TensorSpec]:
        """Of the states of any batch; frames and samples that wait may be of any number."""
        specs = {}
        for name, state in self.initial_states(1).items():
            waiting = name == "samples" or name.startswith("convolution_")
            inner = [None, *state.shape[2:]] if waiting else state.shape[1:]
            specs[name] = tf.TensorSpec([None, *inner], state.dtype, name)
        return specs

    def timing(self, detection: configs.DetectionConfig) -> dict[str, float]:
        """What `detector.Detector` is told of time."""
        return {
            "first_seconds": self.first_seconds,
            "frame_seconds": self.frame_seconds,
            "smoothing_seconds": detection.smoothing_seconds,
            "cool_down_seconds": detection.cool_down_seconds,
        }

    def __call__(self, samples: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        """The answers that the next samples complete.

        Args:
            samples: float32 [b, n] of -1 to 1, any n.
            states: those of `initial_states`, or what the last call returned.

        Returns:
            Probabilities, float32 [b, new frames, labels], and the states after them.
        """
        values, features_after = served_features.chunk(samples, states, self.audio, self.features)
        posteriors, after = self.classifier(values, states)
        return posteriors, {**features_after, **after}

    def frames(self, samples: int) -> int:
        """How many answers the first so many samples of a stream give."""
        return 0 if samples < self._window else 1 + (samples - self._window) // self._hop


def hear(
    listener: Listener, streams: Iterable[continuous_audio.Stream]
) -> Iterator[continuous_audio.Heard]:
    """Reads streams from their beginnings to their ends, some side by side."""
    rate = listener.audio.sample_rate_hz
    specs = listener.state_specs()
    listen = tf.function(listener, autograph=False).get_concrete_function(
        tf.TensorSpec([None, None]), specs
    )
    waiting = iter(streams)
    while group := list(itertools.islice(waiting, _ROWS)):
        longest = max(len(stream.samples) for stream in group)
        states, answers = listener.initial_states(len(group)), []
        block = round(_BLOCK_SECONDS * rate)
        for start in range(0, longest, block):
            cut = [stream.samples[start : start + block] for stream in group]
            width = max(map(len, cut))
            rows = np.stack([np.pad(row, (0, width - len(row))) for row in cut])
            posteriors, states = listen(tf.constant(rows), states)
            answers.append(posteriors.numpy())
        together = np.concatenate(answers, axis=1)
        for stream, row in zip(group, together, strict=True):
            kept = row[: listener.frames(len(stream.samples))]
            yield continuous_audio.Heard(kept, stream.events, len(stream.samples) / rate)
