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


def finite(tensor: tf.Tensor, told: str) -> tf.Tensor:
    """Returns floats of any shape after a check that they are neither NaN nor infinite."""
    holds = tf.reduce_all(tf.math.is_finite(tensor))
    return checked(tensor, holds, f"{told}: holds a value that is not a finite number")
