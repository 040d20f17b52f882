"""Bounds the pixels of a request, in pure TensorFlow, and brings pictures and states in shape."""

from __future__ import annotations

import math

import tensorflow as tf

from apps.suite.serving import limits
from apps.suite.videos import encoded_pictures, preprocessing
from apps.suite.videos.config import ClipConfig

LIMITS = {
    "pixels_of_a_side": encoded_pictures.LONGEST_SIDE,
    "pixels_of_a_picture": 2**25,  # of an encoded one
    "pixels_that_are_resized": 2**26,  # rows times frames times height times width
    "pixels_of_all_clips": 2**25,  # after resizing; a row of few frames counts as a whole clip
    "pixels_of_a_chunk": 2**23,  # of a stream, after resizing
}
"""Bounds by name, as the asset settings.json of an export says them."""

_PICTURES_AT_ONCE = 2  # that are decoded side by side; each takes some hundred megabytes at most


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


def with_pixels(frames: tf.Tensor) -> tf.Tensor:
    """Returns the frames [b, n, height, width, 3] after a check that none of the sides is 0."""
    sizes = tf.shape(frames)[1:4]
    told = (
        "frames: [rows, frames, height, width, 3] with at least one frame of at least one pixel "
        "are needed; frames, height and width are"
    )
    return limits.checked(frames, tf.reduce_all(sizes > 0), told, sizes)


def chunk(frames: tf.Tensor, config: ClipConfig) -> tf.Tensor:
    """Returns frames of a stream, uint8 [b, n, any, any, 3], at the size of `config`.

    Their number and their pixels are checked first.
    """
    frames = with_pixels(frames)
    count = tf.shape(frames)[1]
    frames = frames_within(frames, count, config, "pixels_of_a_chunk")
    rows = tf.shape(frames)[0]
    flat = tf.reshape(frames, tf.concat([[rows * count], tf.shape(frames)[2:]], axis=0))
    sized = preprocessing.fitted(flat, config)
    return tf.reshape(sized, [rows, count, config.height, config.width, 3])


def pictures(encoded: tf.Tensor, config: ClipConfig) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes pictures string [b, n] one by one; no bytes give a black picture.

    Args:
        encoded: the bytes of files, input `encoded`.
        config: size that they are brought to.

    Returns:
        Pixels uint8 [b, n, height, width, 3], and width and height as they were, float32
        [b, n, 2], 1 of a black picture.
    """

    @tf.autograph.experimental.do_not_convert
    def either(one: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.cond(tf.equal(one, ""), lambda: black, lambda: decoded(one))

    def decoded(one: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        within = encoded_pictures.bounded(one, LIMITS["pixels_of_a_picture"], "encoded")
        pixels = tf.io.decode_image(within, channels=3, expand_animations=False)
        shape = tf.shape(pixels)
        pixels = limits.checked(pixels, tf.reduce_all(shape > 0), "encoded: has no pixels")
        sized = preprocessing.fitted(tf.reshape(pixels, [1, shape[0], shape[1], 3]), config)
        return sized[0], tf.cast(tf.stack([shape[1], shape[0]]), tf.float32)

    inner = [config.height, config.width, 3]
    black = tf.zeros(inner, tf.uint8), tf.ones([2])
    pixels, sides = tf.map_fn(
        either,
        tf.reshape(encoded, [-1]),
        fn_output_signature=(tf.TensorSpec(inner, tf.uint8), tf.TensorSpec([2], tf.float32)),
        parallel_iterations=_PICTURES_AT_ONCE,
    )
    rows, count = tf.shape(encoded)[0], encoded.shape[1] or tf.shape(encoded)[1]
    return tf.reshape(pixels, [rows, count, *inner]), tf.reshape(sides, [rows, count, 2])


def longer(rows: tf.Tensor, spare: tf.Tensor) -> tf.Tensor:
    """Appends `spare` rows of zeros: a convolution takes no empty batch."""
    more = tf.zeros(tf.concat([[spare], tf.shape(rows)[1:]], axis=0), rows.dtype)
    return tf.ensure_shape(tf.concat([rows, more], axis=0), [None, *rows.shape[1:]])


def packed(state: tf.Tensor) -> tf.Tensor:
    """Flattens a state to rows of numbers: [b, …] to [b, n]."""
    return tf.reshape(state, [tf.shape(state)[0], math.prod(state.shape[1:])])


def unpacked(rows: tf.Tensor, first: tf.Tensor, name: str) -> tf.Tensor:
    """Undoes `packed` after checks; empty rows stand for the `first` state, before any frame."""
    start, rows = packed(first), limits.finite(rows, name)
    batch, size, given = tf.shape(start)[0], start.shape[1], tf.shape(rows)
    fits = (given[0] == batch) & ((given[1] == 0) | (given[1] == size))
    told = f"{name}: a state is rows of {size} numbers or of none, one for each row of frames;"
    rows = limits.checked(rows, fits, told, "it is", given)
    rows = tf.concat([start[:, : tf.where(given[1] == 0, size, 0)], rows], axis=1)
    return tf.reshape(rows, tf.shape(first))
