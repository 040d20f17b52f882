"""Builds training batches of clips, each altered anew, or of features that were computed once.

All frames of a clip change alike: nothing moves that did not move before. Clips of a batch and
their labels may be mixed (mixup, Zhang et al. 2018).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.suite.training import order as training_order
from apps.suite.videos import augmentation
from apps.video_classification import config as configs
from apps.video_classification import scoring
from apps.video_classification.clips import Clips


def mixed(
    random: np.random.Generator,
    values: np.ndarray,
    lengths: np.ndarray,
    labels: np.ndarray,
    alpha: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Mixes each clip with another one of the batch, in shares drawn from Beta(alpha, alpha).

    Args:
        random: what draws partners and shares; with alpha 0 nothing is drawn.
        values: frames uint8 or features float32, [clips, time, …].
        lengths: int [clips], real frames; clips of different lengths are not mixed.
        labels: float32 [clips, classes].
        alpha: 0 = nothing is mixed; small = most clips stay nearly themselves; 1 = any share alike.

    Returns:
        (values, labels) of the same shapes and types.
    """
    if not alpha:
        return values, labels
    partners = random.permutation(len(values))
    share = random.beta(alpha, alpha, len(values))
    share = np.where(lengths == lengths[partners], share, 1.0).astype(np.float32)

    def between(rows: np.ndarray) -> np.ndarray:
        own = share.reshape(-1, *[1] * (rows.ndim - 1))
        found = own * rows + (1 - own) * rows[partners]
        return np.rint(found).astype(rows.dtype) if rows.dtype == np.uint8 else found

    return between(values), between(labels)


def encoded(network: keras.Model, clips: Clips) -> Clips:
    """Returns the clips with features instead of frames: float32 [clips, time, features]."""
    return dataclasses.replace(
        clips, store=scoring.features(network, clips), rows=np.arange(len(clips))
    )


def endless_features(
    clips: Clips, classes: int, config: configs.Config, first_step: int = 0
) -> tf.data.Dataset:
    """Returns a stream like `endless` of clips that `encoded` returned, with `features`.

    No frame is altered any more; `augmentation.mixup_alpha` mixes features. With the sampling
    "segment" each place of a clip is drawn from the clips of its video; else one of its clips is.
    Labels are as frequent as in the data, or all alike with `training.balance_labels`.
    """
    rows, seed, size = config.training.batch_size, config.seed, config.clips
    firsts, labels = clips.first_clips, clips.video_labels
    counts = np.diff([*firsts, len(clips)])
    share = np.ones(len(labels))
    if config.training.balance_labels:
        share = 1.0 / np.bincount(labels)[labels]
    share /= share.sum()
    one_hot = np.eye(classes, dtype=np.float32)

    def read(step: np.ndarray) -> tuple[np.ndarray, ...]:
        random = np.random.default_rng((seed, int(step)))
        chosen = random.choice(len(labels), rows, p=share)
        drawn = random.integers(counts[chosen][:, None], size=(rows, size.frames))
        if size.sampling != "segment":
            drawn[:] = drawn[:, :1]
        places = clips.rows[firsts[chosen][:, None] + drawn]
        found = clips.store[places, np.arange(size.frames)]
        features, lengths = found.astype(np.float32), clips.lengths[firsts[chosen]]
        alpha = config.augmentation.mixup_alpha
        features, wanted = mixed(random, features, lengths, one_hot[labels[chosen]], alpha)
        return features, lengths, wanted

    spec = tf.TensorSpec([rows, *clips.store.shape[1:]], tf.float32, "features")
    return _stream(read, spec, classes, config, first_step)


_ORDER, _DRAWS = range(2)  # what a seed is for


def endless(
    clips: Clips, classes: int, config: configs.Config, first_step: int = 0
) -> tf.data.Dataset:
    """Returns an endless stream of batches in one shape, which depends on seed and step alone.

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
    videos_of_a_pass = _passes(clips.video_labels, config.training.balance_labels)
    order = training_order.Order(videos_of_a_pass, (seed, _ORDER))
    firsts = clips.first_clips
    counts = np.diff([*firsts, len(clips)])
    segment = size.sampling == "segment"
    one_hot = np.eye(classes, dtype=np.float32)

    def read(step: np.ndarray) -> tuple[np.ndarray, ...]:
        random = np.random.default_rng((seed, _DRAWS, int(step)))
        videos = order.take(int(step) * rows, rows)
        drawn = random.integers(counts[videos][:, None], size=(rows, size.frames))
        if not segment:
            drawn[:] = drawn[:, :1]
        chosen = firsts[videos][:, None] + drawn
        frames = clips.store[clips.rows[chosen], np.arange(size.frames)]
        frames, lengths = _cut_off(
            frames, clips.lengths[firsts[videos]], random, config.augmentation.highest_late_share
        )
        changing = config.augmentation
        changes = augmentation.draw_changes(
            random, rows, size.height, size.width, changing,
            flip=changing.flip, erase_probability=changing.erase_probability,
        )  # fmt: skip
        frames = augmentation.apply_changes(frames, changes)
        frames[np.arange(size.frames) >= lengths[:, None]] = 0
        labels = one_hot[clips.labels[firsts[videos]]]
        frames, labels = mixed(random, frames, lengths, labels, config.augmentation.mixup_alpha)
        return frames, lengths, labels

    spec = tf.TensorSpec([rows, size.frames, size.height, size.width, 3], tf.uint8, "frames")
    return _stream(read, spec, classes, config, first_step)


def _stream(
    read: Callable[[np.ndarray], tuple[np.ndarray, ...]],
    values: tf.TensorSpec,
    classes: int,
    config: configs.Config,
    first_step: int,
) -> tf.data.Dataset:
    """Returns what `read` makes of each step from the first one on: values, lengths and labels."""
    rows, frames = values.shape[0], config.clips.frames

    def batch(step: tf.Tensor) -> tuple[Any, ...]:
        kinds = [values.dtype, tf.int32, tf.float32]
        found = tf.numpy_function(read, [step], kinds, stateful=False)
        shapes = [values.shape, [rows], [rows, classes]]
        given, lengths, wanted = (
            tf.ensure_shape(part, shape) for part, shape in zip(found, shapes, strict=True)
        )
        inputs = {values.name: given, "length": lengths}
        if not config.model.per_frame:
            return inputs, wanted
        real = tf.sequence_mask(lengths, frames, tf.float32)
        return inputs, tf.repeat(wanted[:, None], frames, axis=1), real

    stream = tf.data.Dataset.counter(first_step)
    return stream.map(batch, num_parallel_calls=2, deterministic=True).prefetch(4)


def _passes(labels: np.ndarray, balanced: bool) -> np.ndarray:
    """Returns the videos of one pass: each once, or repeated to make labels equally frequent."""
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
    """Cuts off up to a share of the clips' frames, at the start or at the end."""
    away = (random.random(len(frames)) * highest_share * lengths).astype(np.int32)
    at_start = random.random(len(frames)) < 0.5
    if away.any():
        shift = np.where(at_start, away, 0)[:, None]
        places = np.minimum(np.arange(frames.shape[1]) + shift, frames.shape[1] - 1)
        frames = frames[np.arange(len(frames))[:, None], places]
    return frames, (lengths - away).astype(np.int32)
