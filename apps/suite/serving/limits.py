"""Refuses in the graph what a request must not ask for: sizes above a bound, values not finite.

A stock server computes the graph alone, so a check that stands anywhere else protects nobody. Each
function returns the tensor that it was given, after its check: what is computed from it waits for
the check, and a wrong request ends in an error (InvalidArgument) before memory is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def checked(tensor: tf.Tensor, holds: tf.Tensor, *told: Any) -> tf.Tensor:
    """Returns a tensor after a check.

    Args:
        tensor: of any kind.
        holds: bool, a scalar.
        told: words and tensors of the message, which names the input.
    """
    with tf.control_dependencies([tf.debugging.Assert(holds, list(told))]):
        return tf.identity(tensor)


def at_most(
    tensor: tf.Tensor, factors: Sequence[tf.Tensor | int], most: int, told: str
) -> tf.Tensor:
    """Returns a tensor after a check that a product of sizes is within a bound.

    Args:
        tensor: of any kind.
        factors: int32 or int64 scalars, whose product may exceed both.
        most: highest product.
        told: names the product, such as "prompt: rows times bytes of the longest one".
    """
    product = tf.constant(1.0, tf.float64)
    for factor in factors:
        product *= tf.cast(factor, tf.float64)
    number = tf.cast(tf.minimum(product, 2.0**62), tf.int64)
    message = f"{told}: at most {most:,} are allowed; send less at once. Here are"
    return checked(tensor, product <= float(most), message, number)


def of_rows(tensor: tf.Tensor, rows: tf.Tensor, name: str, of: str) -> tf.Tensor:
    """Returns an input [b, …] after a check that it has as many rows as another one, `of`."""
    given = tf.shape(tensor)[0]
    told = f"{name}: needs a row for each row of {of}; the rows of both are"
    return checked(tensor, tf.equal(given, rows), told, given, rows)


def finite(tensor: tf.Tensor, told: str) -> tf.Tensor:
    """Returns floats of any shape after a check that they are neither NaN nor infinite."""
    holds = tf.reduce_all(tf.math.is_finite(tensor))
    return checked(tensor, holds, f"{told}: holds a value that is not a finite number")


def texts(given: tf.Tensor, name: str, *, longest_bytes: int, rows_times_longest: int) -> tf.Tensor:
    """Returns string[b] after checks of the bytes that they take; an empty request gets one "".

    Args:
        given: string (b,).
        name: of the input.
        longest_bytes: bytes of a text at most.
        rows_times_longest: the number of texts times the bytes of the longest one at most.
    """
    longest = tf.reduce_max(tf.concat([[0], tf.strings.length(given)], axis=0))
    told = f"{name}: bytes of the longest one"
    given = at_most(given, [longest], longest_bytes, told)
    told = f"{name}: rows times bytes of the longest one"
    given = at_most(given, [tf.size(given), longest], rows_times_longest, told)
    # Networks read one row at least
    return tf.concat([given, tf.fill([tf.cast(tf.size(given) == 0, tf.int32)], "")], axis=0)
