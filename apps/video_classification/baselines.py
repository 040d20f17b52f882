"""Measures simple baselines on the same clips and split as the model.

    single_frame        a small convolutional network that sees one frame of a clip alone
    mean_of_frames      content of the frames, the mean over a clip: logistic regression
    frame_differences   place and time of changes: logistic regression

The second describes a frame by histograms of oriented gradients (Dalal and Triggs 2005) and a grey
picture of 8 x 8; the third takes |x_t - x_{t-1}| in 8 x 8 fields, its mean and deviation over time,
and how far the change of the whole picture reaches. The validation
part decides their regularisation. A video's answer is the mean over its clips.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from apps.suite.commands import progress
from apps.suite.evaluation import class_baselines
from apps.suite.training import learning
from apps.suite.videos.opencv import cv2
from apps.video_classification import config as configs
from apps.video_classification import scoring
from apps.video_classification.clips import Clips

_STEPS, _CHECKPOINTS = 1_000, 10
_FRAMES = 64  # a step
_FRAME_ROWS = 512


def single_frame_answer(
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
    every = max(1, min(_STEPS, config.training.steps) // _CHECKPOINTS)
    steps = every * _CHECKPOINTS

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
        parts = [
            frames[first : first + _FRAME_ROWS] for first in range(0, len(frames), _FRAME_ROWS)
        ]
        logits = [answers(tf.constant(part)) for part in parts]
        return tf.nn.softmax(tf.concat(logits, axis=0)).numpy()

    def loss() -> float:
        right = probabilities(held_out)[np.arange(len(validation)), validation.labels]
        return float(-np.log(np.maximum(right, 1e-30)).mean())

    numbers = progress.watched(range(1, steps + 1), "baselines: single frame", steps)
    learning.in_memory(network, stream, numbers, every, loss)
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
    """Returns the middle frame of each clip, uint8 [clips, height, width, 3]."""
    return np.asarray(clips.store[clips.rows, np.maximum(clips.lengths, 1) // 2])


Describe = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of frames and lengths, rows of numbers

_STRENGTHS = (1e-3, 1e-2, 1e-1)  # scikit-learn's C
_MOST_ITERATIONS = 300
_FIELDS = 8  # along each side of a picture
_DIRECTIONS = 8  # of gradients
_ROWS = 256  # clips at a time


def evaluate(
    train: Clips, validation: Clips, test: Clips, classes: int, config: configs.Config
) -> dict[str, np.ndarray]:
    """Returns probabilities of the test videos, float32 [videos, classes], by the baseline's name.

    Args:
        train: learned from, one clip of each video.
        validation, test: the test part is only answered.
        classes: number of labels.
        config: that of the run.
    """
    found = {"single_frame": single_frame_answer(train, validation, test, classes, config)}
    for name, describe in (
        ("mean_of_frames", mean_of_frames),
        ("frame_differences", frame_differences),
    ):
        with progress.working(f"baselines: {name.replace('_', ' ')}"):
            found[name] = _logistic_regression(describe, train, validation, test, classes)
    return found


def mean_of_frames(frames: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Computes float32 [clips, numbers] of uint8 [clips, time, height, width, 3]."""
    rows = []
    for clip, length in zip(frames, lengths, strict=True):
        grey = _grey(clip[: max(1, length)])
        rows.append(np.concatenate([_gradients(grey), _fields(grey)], axis=1).mean(axis=0))
    return np.array(rows, np.float32)


def _gradients(grey: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients of pictures [n, height, width]: [n, fields · directions].

    Each field has the strength of the gradients in it by their direction, without its sign, and
    is brought to length 1.
    """
    down, across = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(down, across)
    turn = np.arctan2(down, across) % np.pi / np.pi
    direction = np.minimum((turn * _DIRECTIONS).astype(int), _DIRECTIONS - 1)
    parts = [_fields(np.where(direction == each, strength, 0.0)) for each in range(_DIRECTIONS)]
    found = np.stack(parts, axis=2)
    found /= np.linalg.norm(found, axis=2, keepdims=True) + 0.02  # noise stays small
    return found.reshape(len(grey), -1)


def frame_differences(frames: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Computes float32 [clips, numbers] of uint8 [clips, time, height, width, 3]."""
    rows = []
    for clip, length in zip(frames, lengths, strict=True):
        grey = _grey(clip[:length])
        change = np.abs(np.diff(grey, axis=0)) if length > 1 else np.zeros_like(clip[:1, ..., 0])
        fields = _fields(change)
        whole = change.mean(axis=(1, 2))
        far = [np.quantile(change, share) for share in (0.5, 0.9, 0.99)]
        told = [whole.mean(), whole.std(), whole.max(), *far]
        told += [(change > limit).mean() for limit in (0.05, 0.1, 0.2)]
        over_time = [fields.mean(axis=0), fields.std(axis=0)]
        # Where it happens, and, sorted, how much there is of it wherever it happens
        rows.append(np.concatenate([*over_time, *(np.sort(each) for each in over_time), told]))
    return np.log(np.array(rows, np.float32) + 1e-3)


def _grey(frames: np.ndarray) -> np.ndarray:
    """Converts uint8 [n, height, width, 3] to float32 [n, height, width] from 0 to 1."""
    return frames.astype(np.float32).mean(axis=-1) / 255.0


def _fields(pictures: np.ndarray) -> np.ndarray:
    """Computes the means in 8 x 8 fields of pictures [n, height, width]: [n, 64]."""
    size, area = (_FIELDS, _FIELDS), cv2.INTER_AREA
    small = [cv2.resize(each.astype(np.float32), size, interpolation=area) for each in pictures]
    return np.array(small).reshape(len(pictures), -1)


def _logistic_regression(
    describe: Describe, train: Clips, validation: Clips, test: Clips, classes: int
) -> np.ndarray:
    middles = train.first_clips + np.diff([*train.first_clips, len(train)]) // 2
    learned = _described(describe, train, middles)
    scaler = StandardScaler().fit(learned)
    held_out, asked = (
        scaler.transform(_described(describe, part, np.arange(len(part))))
        for part in (validation, test)
    )
    tried = [
        LogisticRegression(C=strength, max_iter=_MOST_ITERATIONS).fit(
            scaler.transform(learned), train.video_labels
        )
        for strength in _STRENGTHS
    ]
    best = max(tried, key=lambda fitted: fitted.score(held_out, validation.labels))
    return scoring.of_videos(class_baselines.of_model(best, classes)(asked), test)


def _described(describe: Describe, clips: Clips, chosen: np.ndarray) -> np.ndarray:
    parts = [chosen[first : first + _ROWS] for first in range(0, len(chosen), _ROWS)]
    return np.concatenate([describe(clips.read(part), clips.lengths[part]) for part in parts])
