"""Bounds the pixels of a request, in pure TensorFlow, before memory is taken for them."""

from __future__ import annotations

import tensorflow as tf

from apps.suite.serving import limits
from apps.suite.videos import encoded_pictures
from apps.suite.videos.config import ClipConfig

LIMITS = {
    "pixels_of_a_side": encoded_pictures.LONGEST_SIDE,
    "pixels_of_a_picture": 2**25,  # of an encoded one
    "pixels_that_are_resized": 2**26,  # rows times frames times height times width
    "pixels_of_all_clips": 2**25,  # after resizing; a row of few frames counts as a whole clip
    "pixels_of_a_chunk": 2**23,  # of a stream, after resizing
}
"""Bounds by name, as the asset settings.json of an export says them."""


def frames_within(
    frames: tf.Tensor, count: tf.Tensor | int, config: ClipConfig, most: str
) -> tf.Tensor:
    """Returns frames after checks of the memory that resizing them takes.

    Args:
        frames: uint8 [b, any, height, width, 3].
        count: frames of a row that are resized.
        config: size after that.
        most: name of the bound of their pixels after resizing.
    """
    rows, _, height, width, _ = tf.unstack(tf.shape(frames))
    frames = limits.at_most(
        frames,
        [tf.maximum(height, width)],
        LIMITS["pixels_of_a_side"],
        "frames: pixels of a side",
    )
    frames = limits.at_most(
        frames,
        [rows, count, height, width],
        LIMITS["pixels_that_are_resized"],
        f"frames: pixels to be resized, with {config.frames} frames a clip",
    )
    return clips_within(frames, "frames", count, config, most)


def clips_within(
    rows: tf.Tensor, name: str, count: tf.Tensor | int, config: ClipConfig, most: str
) -> tf.Tensor:
    """Returns rows, of whatever each holds, after a check of the size of all their clips.

    Args:
        rows: [b, …], input `name`.
        name: of the input.
        count, config, most: as for `frames_within`.
    """
    told = f"{name}: pixels of all rows, resized to {config.height} x {config.width}"
    factors = [tf.shape(rows)[0], count, config.height, config.width]
    return limits.at_most(rows, factors, LIMITS[most], told)
