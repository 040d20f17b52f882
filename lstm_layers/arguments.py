"""Checks of what a layer is called with, and the options that `keras.layers.Layer` takes itself."""

from __future__ import annotations

from typing import Any

import keras

_OF_EVERY_LAYER = ("activity_regularizer", "autocast", "input_shape", "input_dim")


def of_every_layer(options: dict[str, Any]) -> dict[str, Any]:
    """Takes the options of `keras.layers.Layer` out of `options`, and returns them."""
    return {name: options.pop(name) for name in _OF_EVERY_LAYER if name in options}


def sequences_spec(name: str, shape) -> keras.InputSpec:
    """Returns what a layer accepts once it is built for sequences of this shape.

    Raises:
        ValueError: another rank than 3, or an unknown number of features.
    """
    if len(shape) != 3 or shape[-1] is None:
        raise ValueError(
            f"{name} reads (batch, time, features) with a known number of features, "
            f"got the shape {tuple(shape)}"
        )
    return keras.InputSpec(ndim=3, axes={-1: shape[-1]})


def check_mask(name: str, sequences, mask) -> None:
    """Raises a ValueError for a mask that is neither (batch, time) nor (1, time).

    One of another shape might broadcast against the states without a word.
    """
    shape = _known_shape(mask)
    if shape is None:
        return
    batch, time = tuple(sequences.shape)[:2]
    fits = len(shape) == 2 and _may_be(shape[0], batch, 1) and _may_be(shape[1], time)
    if not fits:
        raise ValueError(
            f"the mask of {name} has shape {shape}, expected (batch, time) = {(batch, time)}, "
            "or one row for all"
        )


def check_states(name: str, sequences, sizes, states) -> None:
    """Raises a ValueError for initial states that are not one (batch, size) for each size.

    A state of one row would broadcast against the batch without a word.
    """
    if len(states) != len(sizes):
        raise ValueError(f"{name} takes {len(sizes)} initial states, got {len(states)}")
    batch = sequences.shape[0]
    for position, (state, size) in enumerate(zip(states, sizes, strict=True)):
        shape = _known_shape(state)
        if shape is None:
            continue
        if len(shape) != 2 or not (_may_be(shape[0], batch) and _may_be(shape[1], size)):
            raise ValueError(
                f"initial state {position} of {name} has shape {shape}, "
                f"expected (batch, units) = {(batch, size)}"
            )


def _known_shape(values) -> tuple | None:
    """Returns a shape, with None where a size is unknown, or None for an unknown rank."""
    shape = getattr(values, "shape", None)
    if shape is None or getattr(shape, "rank", 0) is None:  # a tensor of TensorFlow, of any shape
        return None
    return tuple(shape)


def _may_be(size: int | None, *expected: int | None) -> bool:
    return size is None or None in expected or size in expected
