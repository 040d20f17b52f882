"""What a training step learns from where a frozen network's features are computed once."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.video_classification import config as configs
from apps.video_classification import mixing, scoring
from apps.video_classification.clips import Clips


def encoded(network: keras.Model, clips: Clips) -> Clips:
    """The clips with features in the place of frames: `store` float32 [clips, time, features]."""
    return dataclasses.replace(
        clips, store=scoring.features(network, clips), rows=np.arange(len(clips))
    )


def endless(
    clips: Clips, classes: int, config: configs.Config, first_step: int = 0
) -> tf.data.Dataset:
    """`example_batches.endless` of clips that `encoded` returned, `features` in place of `frames`.

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
        features, wanted = mixing.mixed(random, features, lengths, one_hot[labels[chosen]], alpha)
        return features, lengths, wanted

    def batch(step: tf.Tensor) -> tuple[Any, ...]:
        types = [tf.float32, tf.int32, tf.float32]
        found = tf.numpy_function(read, [step], types, stateful=False)
        shapes = [[rows, *clips.store.shape[1:]], [rows], [rows, classes]]
        features, lengths, wanted = (
            tf.ensure_shape(part, shape) for part, shape in zip(found, shapes, strict=True)
        )
        inputs = {"features": features, "length": lengths}
        if not config.model.per_frame:
            return inputs, wanted
        real = tf.sequence_mask(lengths, size.frames, tf.float32)
        return inputs, tf.repeat(wanted[:, None], size.frames, axis=1), real

    stream = tf.data.Dataset.counter(first_step)
    return stream.map(batch, num_parallel_calls=2, deterministic=True).prefetch(4)
