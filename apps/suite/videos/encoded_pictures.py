"""Reads the size of an encoded picture from its header, in pure TensorFlow, before it is decoded.

A file of some kilobytes may declare billions of pixels, for which a decoder takes the memory at
once. The places of width and height, by format:

    PNG     the first chunk, which has to be IHDR: bytes 16 to 23, 32 bits each, big-endian
    JPEG    found by `tf.image.extract_jpeg_shape`
    GIF     of the screen in bytes 6 to 9, and of each frame, 16 bits each, little-endian; all the
            frames are unpacked, whichever is asked for, so that their pixels are added up
    BMP     bytes 18 to 25, 32 bits each, little-endian; a negative height is a picture upside down
    WebP    in the first chunk: VP8X, VP8L or VP8
"""

from __future__ import annotations

import tensorflow as tf

from apps.suite.serving import limits

LONGEST_SIDE = 2**16
"""Pixels; no side is longer."""

_HEADER_BYTES = 30  # that hold the sizes, of all formats but JPEG
_FORMATS = "PNG, JPEG, GIF, BMP or WebP"


def bounded(encoded: tf.Tensor, most_pixels: int, told: str) -> tf.Tensor:
    """Returns the bytes of a picture after a check of the size that its header declares.

    Args:
        encoded: string, a scalar.
        most_pixels: width times height, of a GIF over all of its frames.
        told: names the input.

    Raises:
        tf.errors.InvalidArgumentError: when run, for a larger picture, or without a header that is
            known.
    """
    height, width, pixels = _size(encoded)
    encoded = limits.checked(
        encoded, tf.minimum(height, width) >= 1, f"{told}: has to be a {_FORMATS} file with pixels"
    )
    encoded = limits.at_most(
        encoded, [tf.maximum(height, width)], LONGEST_SIDE, f"{told}: pixels of a side"
    )
    return limits.at_most(encoded, [pixels], most_pixels, f"{told}: pixels of a picture")


def _size(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns height, width and pixels, int64 scalars; 0 where the format is not known."""
    padded = tf.strings.join([encoded, b"\0" * _HEADER_BYTES])
    content = tf.io.decode_raw(padded, tf.uint8)
    head = tf.cast(content[:_HEADER_BYTES], tf.int64)

    def starts(content: bytes, at: int = 0) -> tf.Tensor:
        return tf.equal(tf.strings.substr(padded, at, len(content)), content)

    def big(at: int) -> tf.Tensor:
        return _number(head, [at + 3, at + 2, at + 1, at])

    def little(at: int, count: int) -> tf.Tensor:
        return _number(head, list(range(at, at + count)))

    def signed(at: int) -> tf.Tensor:
        value = little(at, 4)
        return tf.abs(tf.where(value < 2**31, value, value - 2**32))

    def one(height: tf.Tensor, width: tf.Tensor) -> list[tf.Tensor]:
        return [height, width, height * width]

    def jpeg() -> list[tf.Tensor]:
        shape = tf.image.extract_jpeg_shape(encoded, output_type=tf.int32)
        return one(*tf.unstack(tf.cast(shape[:2], tf.int64)))

    def gif() -> list[tf.Tensor]:
        height, width = little(8, 2), little(6, 2)
        highest, widest, pixels = _frames(content)
        return [tf.maximum(height, highest), tf.maximum(width, widest), height * width + pixels]

    packed = little(21, 4)  # VP8L: 14 bits of each side less 1
    known = [
        (starts(b"\x89PNG\r\n\x1a\n") & starts(b"IHDR", 12), lambda: one(big(20), big(16))),
        (starts(b"\xff\xd8\xff"), jpeg),
        (starts(b"GIF8"), gif),
        (starts(b"BM"), lambda: one(signed(22), signed(18))),
        (
            starts(b"RIFF") & starts(b"WEBPVP8X", 8),
            lambda: one(little(27, 3) + 1, little(24, 3) + 1),
        ),
        (
            starts(b"RIFF") & starts(b"WEBPVP8L", 8),
            lambda: one(packed // 2**14 % 2**14 + 1, packed % 2**14 + 1),
        ),
        (
            starts(b"RIFF") & starts(b"WEBPVP8 ", 8),
            lambda: one(little(28, 2) % 2**14, little(26, 2) % 2**14),
        ),
    ]
    nothing = tf.constant(0, tf.int64)
    height, width, pixels = tf.case(known, default=lambda: [nothing, nothing, nothing])
    return height, width, pixels


def _number(values: tf.Tensor, places: list[int]) -> tf.Tensor:
    """Returns the number that bytes at these places make, the least first; int64."""
    return tf.add_n([values[at] * 256**power for power, at in enumerate(places)])


def _frames(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the highest and the widest frame of a GIF, uint8 [bytes], and all frames' pixels.

    It walks from block to block: `;` ends the file, `!` begins an extension and `,` a frame, both
    of which end with sub-blocks, a byte of size before each, up to one of size 0. Where a block is
    cut off, or of no known kind, the walk ends as the decoder's does.
    """
    size = tf.size(content, tf.int64)
    colours_of_all = tf.cast(content[10], tf.int64)
    first = 13 + _colour_bytes(colours_of_all)

    def byte(at: tf.Tensor) -> tf.Tensor:
        return tf.cast(content[tf.minimum(at, size - 1)], tf.int64)

    def walk(at: tf.Tensor, inside: tf.Tensor, *found: tf.Tensor) -> list[tf.Tensor]:
        kind = byte(at)
        is_frame = ~inside & tf.equal(kind, ord(",")) & (at + 10 < size)
        is_extension = ~inside & tf.equal(kind, ord("!"))

        def frame() -> list[tf.Tensor]:
            width, height = (byte(at + i) + 256 * byte(at + i + 1) for i in (5, 7))
            highest, widest, pixels = found
            after = at + 11 + _colour_bytes(byte(at + 9))
            return [
                after,
                tf.constant(True),
                tf.maximum(highest, height),
                tf.maximum(widest, width),
                pixels + height * width,
            ]

        def other() -> list[tf.Tensor]:
            after = tf.where(inside, at + 1 + kind, tf.where(is_extension, at + 2, size))
            return [after, (inside & (kind > 0)) | is_extension, *found]

        return tf.cond(is_frame, frame, other)

    nothing = tf.constant(0, tf.int64)
    *_, highest, widest, pixels = tf.while_loop(
        lambda at, *_: at < size, walk, [first, tf.constant(False), nothing, nothing, nothing]
    )
    return highest, widest, pixels


def _colour_bytes(flags: tf.Tensor) -> tf.Tensor:
    """Returns the size of a table of colours, whose flags are given; 0 without one."""
    return tf.where(flags >= 128, 3 * 2 ** (1 + flags % 8), tf.zeros_like(flags))
