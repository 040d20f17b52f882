"""`computed_by`: every recurrent layer of a model by one implementation, for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras

from lstm_layers.keras_private import layers_within
from lstm_layers.recurrences import implementations
from lstm_layers.recurrent_layer import RecurrentLayer


@contextlib.contextmanager
def computed_by(implementation: str, model: keras.layers.Layer) -> Iterator[None]:
    """Lets the recurrent layers of `model` compute by `implementation` while the block runs.

    It is what a call chooses by, eagerly or while a function is traced; a function that was traced
    before stays as it is. With "portable", which every layer has and no operation of TensorFlow
    made for recurrences takes part in, a model tells what the fast ways have to give.

    Args:
        implementation: one of `implementations.IMPLEMENTATIONS`.
        model: a model or layer, with layers of layers in any depth.

    Raises:
        ValueError: an unknown implementation; a call raises it where its layer lacks the one.
    """
    implementations.checked(implementation)
    layers = [layer for layer in layers_within(model) if isinstance(layer, RecurrentLayer)]
    before = [layer.implementation for layer in layers]
    try:
        for layer in layers:
            layer.implementation = implementation
        yield
    finally:
        for layer, each in zip(layers, before, strict=True):
            layer.implementation = each
