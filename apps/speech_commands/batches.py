"""Builds batches of clips for training, some of which follow another sound, and for evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from apps.speech_commands import config as configs
from apps.suite.sounds import spec_augment
from apps.suite.sounds.feature_cache import FeatureSet
from apps.suite.training import order as training_order

Batch = tuple[dict[str, tf.Tensor], tf.Tensor]

_WHOLE_SHARE = 0.98  # of the clips are never cut; a few very long ones would make all batches long
_FRAME_MULTIPLE = 8  # lengths are rounded up to it
_ORDER, _DRAWS, _MASKS = range(3)  # what a seed is for
_EVALUATION_ROWS = 64


def endless(
    examples: FeatureSet,
    classes: int,
    config: configs.Config,
    fill: np.ndarray,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Returns an endless stream of batches in one shape, which depends on seed and step alone.

    Each pass goes through all examples in an order of its own. Warps, filters, tempos and masks are
    drawn anew in every step (`spec_augment`), of the clip alone. A share of `context_probability`
    of the rows begin with up to half a clip_seconds of the end of another example, drawn from all,
    as words follow each other in a stream: the model reads that first and pools the clip alone.
    Examples longer than 98 % of all are cut to that length, at a place drawn anew.

    Args:
        examples: of the training part, with their copies.
        classes: number of labels.
        config: batch size, seed, probabilities and what is drawn.
        fill: what a mask puts in the place of each channel, (channels,).
        first_step: where the stream begins; one that begins later continues an earlier one.

    Returns:
        A data set of (inputs, labels): `model.build`'s inputs, and labels float32 (batch_size,
        classes), one 1 in each row.
    """
    settings, seed = config.training, config.seed
    lengths = np.diff(examples.starts)
    clip_frames = _rounded(int(np.quantile(lengths, _WHOLE_SHARE, method="higher")))
    context_frames = 0
    if settings.context_probability and config.model.layer != "bilstm":
        hops = config.audio.window_seconds * 1e3 / config.features.hop_milliseconds
        context_frames = _rounded(int(hops / 2))
    channels = examples.frames.shape[1]
    rows = settings.batch_size
    order = training_order.Order(np.arange(len(lengths)), (seed, _ORDER))
    tempo = config.augmentation.highest_drawn_tempo_change
    longest = _rounded(math.ceil(clip_frames * (1.0 + tempo)))
    altered = spec_augment.SpecAugment(config.audio, config.features, config.augmentation, fill)

    def read(step: np.ndarray) -> tuple[np.ndarray, ...]:
        draw = np.random.default_rng((seed, _DRAWS, int(step)))
        clips = order.take(int(step) * rows, rows)
        frames = np.minimum(lengths[clips], clip_frames)
        cuts = draw.integers(lengths[clips] - frames + 1)
        features = _read(examples, examples.starts[clips] + cuts, frames, clip_frames)
        others = draw.integers(len(lengths), size=rows)
        wanted = draw.integers(1, context_frames + 1, size=rows) if context_frames else 0
        follows = draw.random(rows) < settings.context_probability
        before = np.minimum(lengths[others], wanted) * follows
        contexts = _read(examples, examples.starts[others + 1] - before, before, context_frames)
        numbers = (part.astype(np.int32) for part in (before, frames, examples.labels[clips]))
        return features, contexts, *numbers

    def batch(step: tf.Tensor) -> Batch:
        types = [tf.float32, tf.float32, tf.int32, tf.int32, tf.int32]
        found = tf.numpy_function(read, [step], types)
        shapes = [[rows, clip_frames, channels], [rows, context_frames, channels]] + [[rows]] * 3
        features, contexts, before, frames, labels = (
            tf.ensure_shape(part, shape) for part, shape in zip(found, shapes, strict=True)
        )
        drawn = tf.stack([tf.constant(seed * 3 + _MASKS, tf.int64), step])
        features, frames = altered(features, frames, drawn, tf.minimum(frames, 1))
        features = tf.pad(features, [[0, 0], [0, longest - tf.shape(features)[1]], [0, 0]])
        features = tf.ensure_shape(features, [rows, longest, channels])
        if context_frames:
            features = _following(contexts, before, features)
        inputs = {"features": features, "context_frames": before, "frames": frames}
        return inputs, tf.one_hot(labels, classes)

    return tf.data.Dataset.counter(first_step).map(batch).prefetch(4)


def evaluation(examples: FeatureSet) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Yields all examples once, unaltered, sorted by length to save padding.

    Yields:
        Indices of examples (rows,), and `model.build`'s inputs. All but the last few batches have
        64 rows; a batch is as long as its longest example, rounded up to 8 frames.
    """
    lengths = np.diff(examples.starts)
    by_length = np.argsort(lengths, kind="stable")
    for start in range(0, len(lengths), _EVALUATION_ROWS):
        rows = by_length[start : start + _EVALUATION_ROWS]
        frames = lengths[rows]
        features = _read(examples, examples.starts[rows], frames, _rounded(int(frames.max())))
        none = np.zeros(len(rows), np.int32)
        yield (
            rows,
            {"features": features, "context_frames": none, "frames": frames.astype(np.int32)},
        )


def _read(examples: FeatureSet, starts: np.ndarray, frames: np.ndarray, longest: int) -> np.ndarray:
    """Pads runs of frames with zeros at the end: float32 [runs, longest, channels]."""
    found = np.zeros((len(starts), longest, examples.frames.shape[1]), np.float32)
    for row, (start, count) in enumerate(zip(starts, frames, strict=True)):
        found[row, :count] = examples.frames[start : start + count]
    return found


def _following(contexts: tf.Tensor, before: tf.Tensor, features: tf.Tensor) -> tf.Tensor:
    """Joins each row's first `before` frames of context and its features, then zeros."""
    room = contexts.shape[1]
    places = tf.range(room + features.shape[1])
    both = tf.pad(tf.concat([contexts, features], axis=1), [[0, 0], [0, 1], [0, 0]])
    shifted = room + places - before[:, None]  # where a clip's frame lies in both
    taken = tf.where(places < before[:, None], places, tf.minimum(shifted, len(places)))
    return tf.gather(both, taken, axis=1, batch_dims=1)


def _rounded(frames: int) -> int:
    return -(-frames // _FRAME_MULTIPLE) * _FRAME_MULTIPLE
