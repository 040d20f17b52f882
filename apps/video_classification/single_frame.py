"""The baseline that sees one frame of a clip: whether a picture alone tells the action."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from apps.video_classification import config as configs
from apps.video_classification import scoring
from apps.video_classification.clips import Clips

_STEPS, _CHECKPOINTS = 1_000, 10
_FRAMES = 64  # a step
_ROWS = 512


def answer(
    train: Clips, validation: Clips, test: Clips, classes: int, config: configs.Config
) -> np.ndarray:
    """Trains on frames that are drawn anew in every step, answers the middle frame of each clip.

    The convolutions are those of the run's `cnn_filters`; of ten looks at the validation part the
    best one is kept. Frames are mirrored where the run's clips are.

    Returns:
        Float32 [videos of test, classes], the mean of each video's clips.
    """
    keras.utils.set_random_seed(config.seed)
    random = np.random.default_rng(config.seed)
    network = _build(config, classes)
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    held_out, asked = _middles(validation), _middles(test)
    best, weights = np.inf, network.get_weights()
    steps = min(_STEPS, config.training.steps)

    def draw(_: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        clips = random.integers(len(train), size=_FRAMES)
        places = random.integers(np.maximum(train.lengths[clips], 1))
        frames = train.store[train.rows[clips], places]
        if config.augmentation.flip:
            mirrored = random.random(_FRAMES) < 0.5
            frames[mirrored] = frames[mirrored, :, ::-1]
        return frames, train.labels[clips]

    def batch(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        frames, labels = tf.numpy_function(draw, [step], [tf.uint8, tf.int32])
        shape = [_FRAMES, config.clips.height, config.clips.width, 3]
        return tf.ensure_shape(frames, shape), tf.ensure_shape(labels, [_FRAMES])

    stream = iter(tf.data.Dataset.counter().map(batch).prefetch(4))
    answers = tf.function(lambda frames: network(frames, training=False), reduce_retracing=True)

    def probabilities(frames: np.ndarray) -> np.ndarray:
        parts = [frames[first : first + _ROWS] for first in range(0, len(frames), _ROWS)]
        logits = [answers(tf.constant(part)) for part in parts]
        return tf.nn.softmax(tf.concat(logits, axis=0)).numpy()

    for _ in range(_CHECKPOINTS):
        for _ in range(max(1, steps // _CHECKPOINTS)):
            network.train_on_batch(*next(stream))
        right = probabilities(held_out)[np.arange(len(validation)), validation.labels]
        loss = -np.log(np.maximum(right, 1e-30)).mean()
        if loss < best:
            best, weights = loss, network.get_weights()
    network.set_weights(weights)
    return scoring.of_videos(probabilities(asked), test)


def _build(config: configs.Config, classes: int) -> keras.Model:
    layers: list[keras.layers.Layer] = [
        keras.Input((config.clips.height, config.clips.width, 3), dtype="uint8"),
        keras.layers.Rescaling(1 / 255, offset=-0.5, dtype="float32"),
    ]
    layers += [
        keras.layers.Conv2D(filters, 3, 2, "same", activation="relu")
        for filters in config.model.cnn_filters
    ]
    layers += [keras.layers.Flatten(), keras.layers.Dropout(0.3), keras.layers.Dense(classes)]
    return keras.Sequential(layers)


def _middles(clips: Clips) -> np.ndarray:
    """The middle frame of each clip, uint8 [clips, height, width, 3]."""
    return np.asarray(clips.store[clips.rows, np.maximum(clips.lengths, 1) // 2])
