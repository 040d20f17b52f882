"""Computes a model's probabilities of clips and in streams, and measures them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.speech_commands import batches, data, recordings, stream_evaluation
from apps.speech_commands import config as configs
from apps.speech_commands import streams as listener
from apps.suite.evaluation import classification
from apps.suite.sounds.feature_cache import FeatureSet

_ROWS = 64


class ClipProbabilities:
    """Answers clips with the probabilities of the labels.

    Args:
        trained: what `model.build` returned.
        config: its config.
    """

    def __init__(self, trained: keras.Model, config: configs.Config) -> None:
        self.trained = trained
        self.config = config
        spec = tf.TensorSpec([None, None], tf.float32)
        self._compiled = tf.function(self.of_batch, input_signature=[spec], autograph=False)

    def of_batch(self, waveform: tf.Tensor) -> tf.Tensor:
        """Computes float32 [b, labels] of clips float32 [b, samples], in pure TensorFlow."""
        features = data.preprocess(waveform, self.config)
        batch = tf.shape(features)[0]
        clips = {
            "features": features,
            "context_frames": tf.zeros([batch], tf.int32),
            "frames": tf.fill([batch], tf.shape(features)[1]),
        }
        return tf.nn.softmax(self.trained(clips, training=False))

    def __call__(self, waveforms: Iterable[np.ndarray]) -> np.ndarray:
        """Returns float32 [clips, labels] of at least one clip, of any lengths.

        Consecutive clips that are equally long are asked together; none is padded.
        """
        found = []
        for _, alike in itertools.groupby(waveforms, key=len):
            while rows := list(itertools.islice(alike, _ROWS)):
                found.append(self._compiled(tf.constant(np.stack(rows), tf.float32)).numpy())
        return np.concatenate(found)


class Heard(NamedTuple):
    """A part, heard as streams."""

    streams: list[stream_evaluation.Heard]
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
    """Lays the part's clips out (`stream_evaluation.lay_out`), and listens to them.

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

    def streams() -> Iterator[stream_evaluation.Stream]:
        for stream in stream_evaluation.lay_out(part, rate, seed):
            if not beginning:
                beginning.append(stream.samples[: round(kept_seconds * rate)])
            clips = (stream_evaluation.excerpt(stream, event, rate) for event in stream.events)
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


def probabilities(trained: keras.Model, examples: FeatureSet) -> np.ndarray:
    """Returns the result of a `Scorer` of this model; keep a `Scorer` for several calls."""
    return Scorer(trained)(examples)


class Scorer:
    """Answers examples with the weights that the model has at the time.

    Args:
        trained: what `model.build` returns, or another model of the same inputs.
    """

    def __init__(self, trained: keras.Model) -> None:
        self._classes = trained.outputs[0].shape[-1]
        given = {
            tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in trained.inputs
        }

        def answer(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
            return tf.nn.softmax(trained(inputs, training=False))

        self._answer = tf.function(answer, input_signature=[given], autograph=False)

    def __call__(self, examples: FeatureSet) -> np.ndarray:
        """Returns float32 (examples, classes), each clip by itself and from a zero state."""
        found = np.empty((len(examples.labels), self._classes), np.float32)
        for indices, inputs in batches.evaluation(examples):
            found[indices] = self._answer({name: tf.constant(x) for name, x in inputs.items()})
        return found


class StreamScores(NamedTuple):
    """Measures of streams of the test clips."""

    counts: stream_evaluation.Counts
    accuracy: float  # of the answer at each clip's end in the stream
    clip_accuracy: float  # of the same stretches of sound as clips of their own
    false_accepts_per_hour_on_validation: float


def metrics(
    split: str,
    examples: Mapping[str, int],
    labels: np.ndarray,
    probabilities: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    by_noise: Mapping[int, float],
    speakers: Sequence[classification.GroupScore],
    streams: StreamScores | None,
) -> dict[str, Any]:
    """Returns the values for `run_folder.RunFolder.write_metrics`.

    Args:
        split: how the parts were made, in words.
        examples: clips of each part.
        labels: int [clips], of the test part.
        probabilities: the model's, float [clips, labels].
        baselines: probabilities of the baselines, by name.
        by_noise: accuracy by the noise's signal-to-noise ratio in dB.
        speakers: result of `classification.by_group` on the speakers.
        streams: None for a model that answers clips alone.
    """
    further: dict[str, float] = {}
    if speakers:
        further["speakers"] = len(speakers)
        further["accuracy_of_the_worst_speaker"] = speakers[0].accuracy
    for decibels, accuracy in by_noise.items():
        further[f"accuracy_at_{decibels}_db"] = accuracy
    if streams is not None:
        counts = streams.counts
        further |= {
            "streaming_accuracy": streams.accuracy,
            "clip_accuracy_of_the_streams": streams.clip_accuracy,
            "miss_rate": counts.miss_rate,
            "wrong_detections_per_command": counts.wrong_rate,
            "false_accepts_per_hour": counts.false_accepts_per_hour,
            "false_accepts_per_hour_on_validation": streams.false_accepts_per_hour_on_validation,
            "stream_hours": counts.seconds / 3600,
            "stream_hours_without_commands": counts.no_command_seconds / 3600,
        }
    return classification.metrics(
        split, examples, labels, probabilities, baselines, further, unit="clips"
    )
