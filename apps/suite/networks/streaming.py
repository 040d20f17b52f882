"""Holds the states of a model's recurrent layers by name, so that a stream can carry them."""

from __future__ import annotations

import keras
import tensorflow as tf

States = dict[str, tf.Tensor]
"""States of a stream, by name; the batch comes first."""


def recurrent_layers(trained: keras.Model) -> list[keras.Layer]:
    """Returns the layers of a model that are named `recurrent_…`, in order.

    Raises:
        ValueError: one of them has no state to carry: a BiLSTM, which needs later steps.
    """
    found = [layer for layer in trained.layers if layer.name.startswith("recurrent_")]
    if any(not hasattr(layer, "state_size") for layer in found):
        raise ValueError("a bilstm cannot answer a stream: it needs what comes later")
    return found


def state_names(layer: keras.Layer) -> list[str]:
    """Returns the names of a recurrent layer's states, in the layer's order.

    They are `<layer>_h` and, except for a GRU, `<layer>_c`.
    """
    return [f"{layer.name}_{name}" for name, _ in zip("hc", layer.state_size, strict=False)]


def initial_states(trained: keras.Model, batch: int | tf.Tensor) -> States:
    """Returns zeros for all recurrent layers: float32 (batch, units) each.

    Raises ValueError as `recurrent_layers` does.
    """
    return {
        name: tf.zeros((batch, size))
        for layer in recurrent_layers(trained)
        for name, size in zip(state_names(layer), layer.state_size, strict=True)
    }
