"""One random change for all frames of a clip: nothing moves that did not move before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from apps.video_classification.config import AugmentationConfig


class Changes(NamedTuple):
    """What is done to each clip of a batch."""

    transforms: np.ndarray  # float32 [clips, 8]: where a new pixel comes from, of frames [0, 1]²
    gain: np.ndarray  # float32 [clips], of the distance from the clip's mean
    offset: np.ndarray  # float32 [clips], added, of the range from 0 to 255
    erased: np.ndarray  # float32 [clips, 4]: top, left, bottom, right as shares; equal = nothing


def draw(
    random: np.random.Generator, clips: int, height: int, width: int, config: AugmentationConfig
) -> Changes:
    """Changes for so many clips; all that `random` gives is drawn whatever the config says."""
    flipped = (random.random(clips) < 0.5) & config.flip
    zoom = np.exp(
        random.uniform(-1, 1, clips) * np.log1p(config.highest_zoom_share)
    )  # above 1: the clip looks smaller
    shift = random.uniform(-1, 1, (2, clips)) * config.highest_shift_share
    gain = np.exp(random.uniform(-1, 1, clips) * np.log1p(config.highest_contrast))
    offset = random.uniform(-1, 1, clips) * config.highest_brightness * 255
    erased = _erased(random, clips, config.erase_probability)
    # x_old = a·x + c, about the frame's middle; pixel i has its middle at i
    across = np.where(flipped, -zoom, zoom)
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    zero = np.zeros(clips)
    transforms = np.stack(
        [
            across,
            zero,
            middle_x - across * middle_x + shift[0] * width,
            zero,
            zoom,
            middle_y - zoom * middle_y + shift[1] * height,
            zero,
            zero,
        ],
        axis=1,
    )
    return Changes(*(part.astype(np.float32) for part in (transforms, gain, offset, erased)))


def apply(frames: tf.Tensor, changes: Changes) -> tf.Tensor:
    """The changed clips: uint8 [clips, time, height, width, 3], as `frames`.

    What comes from beyond an edge is mirrored at it. Brightness and contrast change about the
    clip's own mean. A change of nothing gives back the same bits.
    """
    shape = tf.shape(frames)
    clips, time, height, width = shape[0], shape[1], shape[2], shape[3]
    # The frames of a clip as further channels: one transform moves them all
    turned = tf.transpose(frames, [0, 2, 3, 1, 4])
    flat = tf.cast(tf.reshape(turned, [clips, height, width, time * 3]), tf.float32)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=flat,
        transforms=changes.transforms,
        output_shape=tf.stack([height, width]),
        interpolation="BILINEAR",
        fill_mode="REFLECT",
        fill_value=0.0,
    )
    mean = tf.reduce_mean(moved, axis=[1, 2, 3], keepdims=True)
    column = [-1, 1, 1, 1]
    lit = (moved - mean) * tf.reshape(changes.gain, column) + mean
    lit += tf.reshape(changes.offset, column)
    lit = tf.where(_inside(changes.erased, height, width), mean, lit)
    whole = tf.cast(tf.clip_by_value(tf.round(lit), 0.0, 255.0), tf.uint8)
    return tf.transpose(tf.reshape(whole, [clips, height, width, time, 3]), [0, 3, 1, 2, 4])


def _erased(random: np.random.Generator, clips: int, probability: float) -> np.ndarray:
    """Rectangles of a fifth to a half of each side (random erasing, Zhong et al. 2020)."""
    size = random.uniform(0.2, 0.5, (clips, 2))
    corner = random.uniform(0, 1, (clips, 2)) * (1 - size)
    size *= (random.random(clips) < probability)[:, None]
    return np.concatenate([corner, corner + size], axis=1)


def _inside(erased: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Bool [clips, height, width, 1]: which pixels' middles the rectangles hold."""
    top, left, bottom, right = (edge[:, None] for edge in tf.unstack(erased, axis=1))
    down = (tf.range(tf.cast(height, tf.float32)) + 0.5) / tf.cast(height, tf.float32)
    across = (tf.range(tf.cast(width, tf.float32)) + 0.5) / tf.cast(width, tf.float32)
    rows = (down >= top) & (down < bottom)
    columns = (across >= left) & (across < right)
    return (rows[:, :, None] & columns[:, None, :])[..., None]
