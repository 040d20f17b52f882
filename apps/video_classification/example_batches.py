"""What a training step learns from: a batch of clips, each altered anew."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from apps.video_classification import augmentation, mixing
from apps.video_classification import config as configs
from apps.video_classification.clips import Clips

_ORDER, _DRAWS = range(2)  # what a seed is for


def endless(
    clips: Clips, classes: int, config: configs.Config, first_step: int = 0
) -> tf.data.Dataset:
    """An endless stream of batches in one shape, a function of the seed and the step alone.

    Each pass goes through all videos in an order of its own; with `training.balance_labels` the
    videos of rarer labels come several times in it, so that every label is as frequent. With
    `clips.sampling` "segment" each place of a clip is drawn from the clips of its video, one frame
    from each part of it (Wang et al. 2016, temporal segment networks); else one of its clips is
    drawn. Then `augmentation` changes the clip, and with `mixup_alpha` it is mixed with another.

    Args:
        clips: of the training part.
        classes: number of labels.
        config: batch size, seed, sampling and augmentation.
        first_step: where the stream begins; one that begins later continues an earlier one.

    Returns:
        A data set of (inputs, labels): `frames` uint8 [batch, time, height, width, 3], `length`
        int32 [batch], and labels float32 [batch, classes], one 1 in each row, or the shares
        of two labels where clips are mixed. With `model.per_frame`, (inputs, labels, weights):
        labels [batch, time, classes], and weights float32 [batch, time], 0 in the padding.
    """
    rows, seed = config.training.batch_size, config.seed
    size = config.clips
    order = _Order(_passes(clips.video_labels, config.training.balance_labels), seed)
    firsts = clips.first_clips
    counts = np.diff([*firsts, len(clips)])
    segment = size.sampling == "segment"
    one_hot = np.eye(classes, dtype=np.float32)

    def read(step: np.ndarray) -> tuple[np.ndarray, ...]:
        random = np.random.default_rng((seed, _DRAWS, int(step)))
        videos = order.videos(int(step) * rows, rows)
        drawn = random.integers(counts[videos][:, None], size=(rows, size.frames))
        if not segment:
            drawn[:] = drawn[:, :1]
        chosen = firsts[videos][:, None] + drawn
        frames = clips.store[clips.rows[chosen], np.arange(size.frames)]
        frames, lengths = _cut_off(
            frames, clips.lengths[firsts[videos]], random, config.augmentation.highest_late_share
        )
        changes = augmentation.draw(random, rows, size.height, size.width, config.augmentation)
        frames = augmentation.apply(frames, changes)
        frames[np.arange(size.frames) >= lengths[:, None]] = 0
        labels = one_hot[clips.labels[firsts[videos]]]
        frames, labels = mixing.mixed(
            random, frames, lengths, labels, config.augmentation.mixup_alpha
        )
        return frames, lengths, labels

    def batch(step: tf.Tensor) -> tuple[Any, ...]:
        found = tf.numpy_function(read, [step], [tf.uint8, tf.int32, tf.float32], stateful=False)
        shapes = [[rows, size.frames, size.height, size.width, 3], [rows], [rows, classes]]
        frames, lengths, wanted = (
            tf.ensure_shape(part, shape) for part, shape in zip(found, shapes, strict=True)
        )
        inputs = {"frames": frames, "length": lengths}
        if not config.model.per_frame:
            return inputs, wanted
        real = tf.sequence_mask(lengths, size.frames, tf.float32)
        return inputs, tf.repeat(wanted[:, None], size.frames, axis=1), real

    stream = tf.data.Dataset.counter(first_step)
    return stream.map(batch, num_parallel_calls=2, deterministic=True).prefetch(4)


def _passes(labels: np.ndarray, balanced: bool) -> np.ndarray:
    """The videos of one pass: each once, or so often that every label is as frequent."""
    everything = np.arange(len(labels))
    if not balanced:
        return everything
    most = np.bincount(labels).max()
    return np.concatenate(
        [np.resize(everything[labels == label], most) for label in np.unique(labels)]
    )


def _cut_off(
    frames: np.ndarray, lengths: np.ndarray, random: np.random.Generator, highest_share: float
) -> tuple[np.ndarray, np.ndarray]:
    """The clips without up to so many of their frames, at the start or at the end."""
    away = (random.random(len(frames)) * highest_share * lengths).astype(np.int32)
    at_start = random.random(len(frames)) < 0.5
    if away.any():
        shift = np.where(at_start, away, 0)[:, None]
        places = np.minimum(np.arange(frames.shape[1]) + shift, frames.shape[1] - 1)
        frames = frames[np.arange(len(frames))[:, None], places]
    return frames, (lengths - away).astype(np.int32)


class _Order:
    """The endless order of videos: pass after pass, each a permutation."""

    def __init__(self, videos: np.ndarray, seed: int) -> None:
        self._count = len(videos)
        self._permutation = functools.lru_cache(maxsize=2)(
            lambda number: np.random.default_rng((seed, _ORDER, number)).permutation(videos)
        )

    def videos(self, first: int, count: int) -> np.ndarray:
        """Those at the places first … first + count - 1."""
        places = np.arange(first, first + count)
        passes = places // self._count
        found = np.empty(count, np.int64)
        for number in np.unique(passes):
            here = passes == number
            found[here] = self._permutation(int(number))[places[here] % self._count]
        return found
