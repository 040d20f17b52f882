"""Activations whose derivative can be written in terms of their value.

The recurrences keep the gates' values and not their arguments, so an activation y = a(z) is
usable when a'(z) is a function of y. All are of `keras.ops`, which on TensorFlow are TensorFlow's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops


class Activation(NamedTuple):
    """A function of z, and its derivative as a function of y = function(z)."""

    function: Callable[[Any], Any]
    derivative: Callable[[Any], Any]


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(ops.tanh, lambda y: 1.0 - y * y),
    "sigmoid": Activation(ops.sigmoid, lambda y: y * (1.0 - y)),
    "linear": Activation(lambda z: z, ops.ones_like),
    "relu": Activation(ops.relu, lambda y: ops.cast(y > 0.0, y.dtype)),
    "softsign": Activation(ops.softsign, lambda y: ops.square(1.0 - ops.abs(y))),
    "hard_sigmoid": Activation(
        keras.activations.hard_sigmoid,
        lambda y: ops.cast((y > 0.0) & (y < 1.0), y.dtype) / 6.0,
    ),
}


def name_of(activation: str | Callable[[Any], Any] | None) -> str:
    """Returns the key of `ACTIVATIONS` for an activation as Keras takes it.

    Args:
        activation: a name, a function of `keras.activations`, or None for the identity.

    Raises:
        ValueError: an activation whose derivative is not known here.
    """
    name = "linear" if activation is None else activation
    if not isinstance(name, str):
        name = getattr(activation, "__name__", repr(activation))
    if name not in ACTIVATIONS:
        raise ValueError(
            f"activation {name!r} is not supported: the backward pass is derived by hand. "
            f"Choose one of {', '.join(sorted(ACTIVATIONS))}."
        )
    return name
