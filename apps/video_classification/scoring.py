"""Computes a model's probabilities of clips, of videos and after each frame; measures them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.suite.commands import progress
from apps.suite.evaluation import classification
from apps.video_classification import config as configs
from apps.video_classification import model
from apps.video_classification.clips import Clips

_ROWS = 32  # clips a batch


class Scorer:
    """Answers clips with the weights that the model has at the time.

    Args:
        trained: what `model.build` or `model.head` returned.
    """

    def __init__(self, trained: keras.Model) -> None:
        self._classes = trained.outputs[0].shape[-1]
        self._seen = next(name for name in trained.input if name != "length")
        given = {
            name: tf.TensorSpec(tensor.shape, tensor.dtype)
            for name, tensor in trained.input.items()
        }

        def answer(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
            return tf.nn.softmax(tf.cast(trained(inputs, training=False), tf.float32))

        self._answer = tf.function(answer, input_signature=[given], autograph=False)

    def __call__(self, clips: Clips, flip: bool = False) -> np.ndarray:
        """Returns float32 [clips, labels]; with `flip` the mean over the clips and mirrored clips.

        For a `model.head`, the clips hold features in the place of frames.
        """
        found = np.empty((len(clips), self._classes), np.float32)
        for rows, frames, lengths in _batches(clips):
            views = [frames, frames[:, :, :, ::-1]] if flip else [frames]
            asked = [self.answer(**{self._seen: view, "length": lengths}) for view in views]
            found[rows] = np.mean(asked, axis=0)
        return found

    def answer(self, **inputs: np.ndarray) -> np.ndarray:
        """Returns float32 [rows, labels] of the model's inputs by name."""
        return self._answer({name: tf.constant(value) for name, value in inputs.items()}).numpy()


def of_videos(probabilities: np.ndarray, clips: Clips) -> np.ndarray:
    """Returns the mean over the clips of each video: float32 [videos, labels]."""
    counts = np.bincount(clips.video, minlength=len(clips.names))
    sums = np.zeros((len(counts), probabilities.shape[1]), np.float32)
    np.add.at(sums, clips.video, probabilities)
    return sums / counts[:, None]


def features(trained: keras.Model, clips: Clips) -> np.ndarray:
    """Computes the output of `model.encoder`, float32 [clips, time, features]."""
    encode = _encoding(trained)
    title, total = f"features of {len(clips):,} clips", -(-len(clips) // _ROWS)
    batches = progress.watched(_batches(clips), title, total)
    return np.concatenate([encode(tf.constant(frames)).numpy() for _, frames, _ in batches])


def by_frames_seen(trained: keras.Model, config: configs.Config, clips: Clips) -> np.ndarray:
    """Computes the model's answers after 1, 2, … frames of the videos' clips.

    Each frame passes the convolutions once; the layers after them answer each beginning of a clip.

    Returns:
        Float32 [time, videos, labels], without mirrored views. A clip that is shorter stays at its
        whole length.
    """
    encode, ask, found = _encoding(trained), Scorer(model.head(config, trained)), []
    for _, frames, lengths in _batches(clips):
        known = encode(tf.constant(frames)).numpy()
        beginnings = np.arange(1, known.shape[1] + 1, dtype=np.int32)
        found.append(
            [
                ask.answer(features=known, length=np.minimum(lengths, seen).astype(np.int32))
                for seen in beginnings
            ]
        )
    of_clips = np.concatenate(found, axis=1)
    return np.stack([of_videos(each, clips) for each in of_clips])


def _encoding(trained: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    network = model.encoder(trained)

    def answer(frames: tf.Tensor) -> tf.Tensor:
        return tf.cast(network(frames, training=False), tf.float32)

    spec = tf.TensorSpec(network.inputs[0].shape, tf.uint8)
    return tf.function(answer, input_signature=[spec], autograph=False)


def _batches(clips: Clips) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    for first in range(0, len(clips), _ROWS):
        rows = slice(first, min(first + _ROWS, len(clips)))
        yield rows, clips.read(rows), clips.lengths[rows]


def metrics(
    split: str,
    examples: Mapping[str, int],
    labels: np.ndarray,
    probabilities: np.ndarray,
    clip_accuracy: float,
    baselines: Mapping[str, np.ndarray],
    groups: Sequence[classification.GroupScore],
    frames_seen: Sequence[float],
) -> dict[str, Any]:
    """Returns the values for `run_folder.RunFolder.write_metrics`.

    Args:
        split: how the parts were made, in words.
        examples: videos of each part.
        labels: int [videos], of the test part.
        probabilities: the model's, float [videos, labels], the mean of each video's clips.
        clip_accuracy: of the clips by themselves.
        baselines: probabilities of the baselines, by name.
        groups: result of `classification.by_group`.
        frames_seen: accuracy after 1, 2, … frames.
    """
    accuracy = classification.scores(labels, probabilities)["accuracy"]
    low, high = classification.interval(accuracy, len(labels))
    further = {
        "clip_accuracy": clip_accuracy,
        "accuracy_at_least": low,
        "accuracy_at_most": high,
    }
    if groups:
        further["groups"] = len(groups)
        further["mean_accuracy_of_the_groups"] = float(np.mean([each.accuracy for each in groups]))
    quarters = sorted({max(1, round(len(frames_seen) * share / 4)) for share in (1, 2, 3)})
    for seen in quarters:
        further[f"accuracy_after_{seen}_frames"] = frames_seen[seen - 1]
    return classification.metrics(
        split, examples, labels, probabilities, baselines, further, unit="videos", top=5
    )
