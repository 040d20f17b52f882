"""Masks features at random: stretches of time and neighbouring bands, anew in every step.

Source: Park et al., SpecAugment: a simple data augmentation method for automatic speech recognition
(2019), without its time warping.
"""

from __future__ import annotations

import tensorflow as tf

from apps.suite.sounds.config import AugmentationConfig

_LARGEST_SHARE = 0.2  # of a clip that one time mask may hide, p in the paper


def mask_features(
    features: tf.Tensor,
    frames: tf.Tensor,
    seed: tf.Tensor,
    augmentation: AugmentationConfig,
    fill: tf.Tensor,
) -> tf.Tensor:
    """Features with masks of their own for each row, in which each channel has its `fill`.

    A mask is as wide as is drawn evenly from 0 to the highest width, at a place drawn evenly from
    those where it fits. Masks may overlap. A time mask is over at most a fifth of its clip and
    never over padding; a band mask is over neighbouring channels in all frames of its clip.

    Args:
        features: float32 [b, t, channels], padded on the right.
        frames: int32 [b], of each row, at most t.
        seed: two integers, int32 or int64 [2]: the same ones draw the same masks.
        augmentation: number and highest width of masks of both kinds.
        fill: float32 [channels], what training has there on average.

    Returns:
        float32 [b, t, channels], padding as it was.
    """
    rows, places, channels = tf.unstack(tf.shape(features))
    seed = tf.convert_to_tensor(seed)
    in_time = _masked(
        frames,
        places,
        augmentation.time_masks,
        tf.minimum(
            augmentation.highest_time_mask_frames,
            tf.cast(_LARGEST_SHARE * tf.cast(frames, tf.float32), tf.int32),
        ),
        tf.random.fold_in(seed, 0),
    )
    in_bands = _masked(
        tf.repeat(channels, rows),
        channels,
        augmentation.band_masks,
        tf.repeat(tf.minimum(augmentation.highest_band_mask, channels), rows),
        tf.random.fold_in(seed, 1),
    )
    is_real = tf.sequence_mask(frames, places)
    hidden = in_time[:, :, None] | (in_bands[:, None, :] & is_real[:, :, None])
    return tf.where(hidden, fill, features)


def _masked(
    lengths: tf.Tensor, places: tf.Tensor, masks: int, highest: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    """Which of so many places some mask covers, bool [b, places].

    Masks lie within the first `lengths` int32 [b] places, and are at most `highest` int32 [b] wide.
    """
    draws = tf.random.stateless_uniform([2, tf.shape(lengths)[0], masks], seed)
    widths = _drawn_spans(draws[0], highest[:, None])
    starts = _drawn_spans(draws[1], lengths[:, None] - widths)
    place = tf.range(places)
    covered = (starts[..., None] <= place) & (place < (starts + widths)[..., None])
    return tf.reduce_any(covered, axis=1)


def _drawn_spans(uniform: tf.Tensor, highest: tf.Tensor) -> tf.Tensor:
    """Integers from 0 to `highest`, each as likely, from numbers in [0, 1)."""
    drawn = tf.cast(uniform * tf.cast(highest + 1, tf.float32), tf.int32)
    return tf.minimum(drawn, highest)  # a product of large numbers may be rounded up
