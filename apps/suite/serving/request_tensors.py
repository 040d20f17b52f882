"""Reads the tensors of a gRPC request, after checks of all that they claim.

A `TensorProto` may claim a shape of any size and hold a single value, which then fills it: a
message of some bytes unpacks to gigabytes. So its type is held to the signature, and its size to
the largest request, before anything is unpacked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from apps.suite.serving.models import Refusal, Tensor, kind_name

_STRING_BYTES = 24  # of a string of TensorFlow, beside its content


def read(
    given: Mapping[str, Any], wanted: Mapping[str, Tensor], most_bytes: int
) -> dict[str, np.ndarray]:
    """Returns tensors by name as arrays.

    Args:
        given: `TensorProto`s by name.
        wanted: inputs of the signature by name, of the same names.
        most_bytes: of all arrays together.

    Raises:
        Refusal: INVALID_ARGUMENT, for a tensor that is not what it claims, or not what is wanted.
    """
    left = most_bytes
    for name, tensor in given.items():
        left -= _bytes(name, tensor, wanted[name])
        if left < 0:
            raise _refusal(f"{name}: the tensors of a request take at most {most_bytes} bytes")
    return {name: _unpacked(name, tensor) for name, tensor in given.items()}


def _bytes(name: str, tensor: Any, wanted: Tensor) -> int:
    """Returns the memory that a tensor takes when it is unpacked."""
    sides = [side.size for side in tensor.tensor_shape.dim]
    if tensor.tensor_shape.unknown_rank or min(sides, default=0) < 0:
        raise _refusal(f"{name}: shape {sides} is not that of a tensor")
    count = math.prod(sides)
    kind = _kind(tensor.dtype)
    if kind != wanted.kind and count:
        told = "an unknown type" if kind is None else kind_name(kind)
        raise _refusal(f"{name} is {told}, and has to be {kind_name(wanted.kind)}")
    each = _STRING_BYTES if wanted.kind == np.dtype(object) else wanted.kind.itemsize
    content = len(tensor.tensor_content)
    if content and (content != count * each or wanted.kind == np.dtype(object)):
        raise _refusal(f"{name}: {content} bytes of content do not fill shape {sides}")
    for field, values in tensor.ListFields():
        if field.name.endswith("_val") and len(values) > count:
            raise _refusal(f"{name}: {len(values)} values are too many for shape {sides}")
    longest = max(map(len, tensor.string_val), default=0)
    return count * each + max(sum(map(len, tensor.string_val)), longest * count)


def _kind(number: int) -> np.dtype | None:
    try:
        kind = tf.dtypes.as_dtype(number)
        return np.dtype(object) if kind == tf.string else np.dtype(kind.as_numpy_dtype)
    except (TypeError, KeyError, ValueError):
        return None


def _unpacked(name: str, tensor: Any) -> np.ndarray:
    try:
        return tf.make_ndarray(tensor)
    except (TypeError, ValueError, IndexError) as error:
        sides = [side.size for side in tensor.tensor_shape.dim]
        raise _refusal(f"{name}: its values do not fill shape {sides}") from error


def _refusal(message: str) -> Refusal:
    return Refusal("INVALID_ARGUMENT", message)
