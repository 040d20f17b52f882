"""From frames of any count and size to what the network takes, in pure TensorFlow.

What an export computes. The decoding computes the same outside TensorFlow (`sampling`, `fitting`):
the same frames, and pixels that differ by at most one of 255 grey levels.
"""

from __future__ import annotations

import tensorflow as tf

from apps.suite.videos import sampling
from apps.suite.videos.config import ClipConfig


def preprocess(
    frames: tf.Tensor, counts: tf.Tensor, config: ClipConfig
) -> tuple[tf.Tensor, tf.Tensor]:
    """One clip of each video, spread over it as `sampling.frame_indices` has it.

    Args:
        frames: uint8 [batch, any, height, width, 3], RGB; any height and width of at least 1.
        counts: int32 [batch], how many frames of each row are real; others stand behind them.
        config: frames, height, width and fit.

    Returns:
        (frames uint8 [batch, config.frames, config.height, config.width, 3], zero in the padding;
        lengths int32 [batch]). A row without a frame has length 0. An empty batch stays one.
    """
    batch = tf.shape(frames)[0]
    counts = tf.minimum(tf.cast(counts, tf.int32), tf.shape(frames)[1])
    indices, lengths = served_indices(counts, config.frames)
    # A video without any frame gets one that is never looked at
    filled = tf.pad(
        frames, [[0, 0], [0, tf.cast(tf.shape(frames)[1] == 0, tf.int32)]] + [[0, 0]] * 3
    )
    chosen = tf.gather(filled, indices, axis=1, batch_dims=1)
    size = tf.shape(chosen)[2:4]
    flat = tf.reshape(chosen, [batch * config.frames, size[0], size[1], 3])
    sized = tf.reshape(fitted(flat, config), [batch, config.frames, config.height, config.width, 3])
    real = tf.sequence_mask(lengths, config.frames)[:, :, None, None, None]
    return tf.where(real, sized, tf.zeros_like(sized)), lengths


def served_indices(counts: tf.Tensor, frames: int) -> tuple[tf.Tensor, tf.Tensor]:
    """`sampling.frame_indices` of each row: int32 [batch, frames], and lengths int32 [batch]."""
    counts = tf.cast(counts, tf.int64)[:, None]
    places = tf.range(frames, dtype=tf.int64)[None]
    spread = sampling.spread(places, counts, frames)
    few = tf.minimum(places, tf.maximum(counts - 1, 0))
    indices = tf.where(counts <= frames, few, spread)
    lengths = tf.minimum(counts[:, 0], frames)
    return tf.cast(indices, tf.int32), tf.cast(lengths, tf.int32)


def fitted(frames: tf.Tensor, config: ClipConfig) -> tf.Tensor:
    """`fitting.fit`: uint8 [n, height, width, 3] of uint8 [n, any, any, 3]."""
    size = tf.shape(frames)[1:3]
    if config.fit == "crop":
        top, left, rows, columns = _cut(size[0], size[1], config.height, config.width)
        frames = frames[:, top : top + rows, left : left + columns]
    if config.fit == "pad":
        top, left, rows, columns = _cut(config.height, config.width, size[0], size[1])
        sized = _resized(frames, rows, columns)
        sized = tf.pad(
            sized,
            [
                [0, 0],
                [top, config.height - top - rows],
                [left, config.width - left - columns],
                [0, 0],
            ],
        )
    else:
        sized = _resized(frames, config.height, config.width)
    return tf.ensure_shape(sized, [None, config.height, config.width, 3])


def _cut(height: tf.Tensor, width: tf.Tensor, of_height: tf.Tensor, of_width: tf.Tensor) -> tuple:
    """`fitting.cut`."""
    rows = tf.minimum(height, tf.maximum(1, (width * of_height + of_width // 2) // of_width))
    columns = tf.minimum(width, tf.maximum(1, (height * of_width + of_height // 2) // of_height))
    return (height - rows) // 2, (width - columns) // 2, rows, columns


def _resized(frames: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Halved, means where an axis shrinks, linear where one grows; uint8 as OpenCV rounds it."""

    def large(frames: tf.Tensor) -> tf.Tensor:
        size = tf.shape(frames)
        return (size[1] >= 2 * height) & (size[2] >= 2 * width)

    def halved(frames: tf.Tensor) -> tuple[tf.Tensor]:
        means = tf.nn.avg_pool2d(tf.cast(frames, tf.float32), 2, 2, "VALID")
        return (tf.cast(tf.floor(means + 0.5), tf.uint8),)

    any_size = tf.TensorShape([None, None, None, 3])
    (frames,) = tf.while_loop(large, halved, (frames,), shape_invariants=(any_size,))
    size = tf.shape(frames)[1:3]
    smaller = tf.minimum(size, tf.stack([height, width]))
    shrunk = _rounded(tf.image.resize(frames, smaller, method="area"))
    return _rounded(tf.image.resize(tf.cast(shrunk, tf.float32), [height, width]))


def _rounded(frames: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.clip_by_value(tf.round(frames), 0.0, 255.0), tf.uint8)
