"""Runs a trained model over a stream of raw samples: features, recogniser and states in one.

All states are tensors in and out. Stock operations on tensors of any length run alike eagerly, in
a `tf.function` and in an export.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from apps.speech_commands import config as configs
from apps.speech_commands import model, stream_evaluation
from apps.suite.networks import pooling, streaming
from apps.suite.networks.streaming import States
from apps.suite.sounds import features, served_features


def initial_states(trained: keras.Model, batch: int | tf.Tensor) -> States:
    """Returns the states of `chunk` at the start of a stream: zeros, named after their layers.

    See `streaming.initial_trunk`.

    Raises:
        ValueError: a BiLSTM, which needs what comes later.
    """
    return streaming.initial_trunk(trained, batch)


def chunk(
    trained: keras.Model, features: tf.Tensor, states: States
) -> tuple[tf.Tensor, tf.Tensor, States]:
    """Computes the next frames of a stream.

    Args:
        trained: what `model.build` returns, with a causal layer.
        features: float32 (batch, frames, channels), any number of frames, none included.
        states: those of `initial_states`, or what the last call returned.

    Returns:
        Evidence (batch, new frames, classes), attention (batch, new frames), both float32, and the
        new states. A front end returns one frame for every second frame it reads. Joined in
        order, the results of the chunks equal those of the whole.
    """
    values, after = streaming.trunk(trained, features, states)
    layers = {layer.name: layer for layer in trained.layers}
    return *model.tell(layers, values), after


class StreamingClassifier:
    """Classifies the last `clip_seconds` of a stream at each of its frames.

    The evidence and attention of a clip's worth of frames are kept and pooled as the model pools a
    clip, so that a stream which begins with a clip gives the clip's answer at its end.

    Args:
        trained: what `model.build` returns, with a causal layer.
        config: its config.

    Attributes:
        window_frames: frames of evidence that are pooled.
        frame_seconds: time from one of the stream's answers to the next.

    Raises:
        ValueError: a config whose features or layer need what comes later.
    """

    def __init__(self, trained: keras.Model, config: configs.Config) -> None:
        if not config.streams:
            raise ValueError("centred features, deltas and a bilstm need what comes later")
        features, audio = config.features, config.audio
        stride = model.frame_stride(config)
        between = audio.window_seconds - features.window_milliseconds / 1e3
        clip_frames = 1 + max(0, int(between / (features.hop_milliseconds / 1e3) + 1e-6))
        self.trained = trained
        self.window_frames = 1 if config.model.pooling == "last" else -(-clip_frames // stride)
        self.frame_seconds = stride * features.hop_milliseconds / 1e3

    def initial_states(self, batch: int | tf.Tensor) -> States:
        """Returns the states of the trunk, and two of the pooling.

        `evidence` (batch, window_frames - 1, classes), zeros; `attention` (batch, window_frames -
        1), -1e30 each: frames that don't count.
        """
        kept, classes = self.window_frames - 1, self.trained.outputs[0].shape[-1]
        return {
            **initial_states(self.trained, batch),
            "evidence": tf.zeros((batch, kept, classes)),
            "attention": tf.fill((batch, kept), pooling.NOTHING),
        }

    def __call__(self, features: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        """Computes the next frames of a stream.

        Args:
            features: float32 (batch, frames, channels), any number of frames.
            states: those of `initial_states`, or what the last call returned.

        Returns:
            Probabilities, float32 (batch, new frames, classes), and the new states.
        """
        evidence, attention, after = chunk(self.trained, features, states)
        evidence = tf.concat([states["evidence"], evidence], axis=1)
        attention = tf.concat([states["attention"], attention], axis=1)
        kept = self.window_frames - 1
        first = tf.range(tf.shape(evidence)[1] - kept)
        windows = first[:, None] + tf.range(self.window_frames)
        logits = pooling.pool(
            tf.gather(evidence, windows, axis=1), tf.gather(attention, windows, axis=1)
        )
        after["evidence"] = evidence[:, tf.shape(evidence)[1] - kept :]
        after["attention"] = attention[:, tf.shape(attention)[1] - kept :]
        return tf.nn.softmax(logits), after


_ROWS = 8  # streams side by side: a small step costs the same for one and for some
_BLOCK_SECONDS = 10.0  # read at a time; bounds the memory, and changes no answer


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
        sizes = features.frame_sizes(config.audio, config.features)
        self.classifier = StreamingClassifier(trained, config)
        self.audio, self.features = config.audio, config.features
        self._window = sizes.window
        self._hop = sizes.hop * model.frame_stride(config)
        self.first_seconds = self._window / self.audio.sample_rate_hz
        self.frame_seconds = self._hop / self.audio.sample_rate_hz

    def initial_states(self, batch: int | tf.Tensor) -> States:
        """Returns the states before the first sample: float32 tensors by name, the batch first."""
        return {
            **served_features.initial_state(batch, self.audio, self.features),
            **self.classifier.initial_states(batch),
        }

    def state_specs(self) -> dict[str, tf.TensorSpec]:
        """Returns specs of the states; rows, waiting frames and samples may be of any number."""
        return streaming.specs(self.initial_states(1), "samples")

    def timing(self, detection: configs.DetectionConfig) -> dict[str, float]:
        """Returns the times for `detector.Detector`."""
        return {
            "first_seconds": self.first_seconds,
            "frame_seconds": self.frame_seconds,
            "smoothing_seconds": detection.smoothing_seconds,
            "cool_down_seconds": detection.cool_down_seconds,
        }

    def __call__(self, samples: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        """Computes the answers that the next samples complete.

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
        """Returns the number of answers that the first `samples` samples of a stream give."""
        return 0 if samples < self._window else 1 + (samples - self._window) // self._hop


def hear(
    listener: Listener, streams: Iterable[stream_evaluation.Stream]
) -> Iterator[stream_evaluation.Heard]:
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
            yield stream_evaluation.Heard(kept, stream.events, len(stream.samples) / rate)
