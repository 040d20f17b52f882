"""Holds the states of a model's recurrent layers by name, so that a stream can carry them."""

from __future__ import annotations

import keras
import tensorflow as tf

import lstm_layers

States = dict[str, tf.Tensor]
"""States of a stream, by name; the batch comes first."""


def recurrent_layers(trained: keras.Model) -> list[keras.Layer]:
    """Returns the layers of a model that are named `recurrent_…`, in order.

    Raises:
        ValueError: one of them has no state to carry: a BiLSTM, which needs later steps.
    """
    found = [layer for layer in trained.layers if layer.name.startswith("recurrent_")]
    if any(isinstance(layer, lstm_layers.BiLSTM) for layer in found):
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


def continued(
    layer: keras.Layer, values: tf.Tensor, states: list[tf.Tensor]
) -> tuple[tf.Tensor, ...]:
    """Returns outputs and last states of a recurrent layer, of any number of steps.

    Keras's loop wants at least one step, and a chunk of a stream may complete none.
    """
    return tf.cond(
        tf.shape(values)[1] > 0,
        lambda: tuple(layer(values, initial_state=states)),
        lambda: (tf.zeros((tf.shape(values)[0], 0, layer.units)), *states),
    )


def packed(states: States) -> States:
    """Flattens states to rows of numbers, float32 [b, n], as signatures exchange them."""
    found = {}
    for name, state in states.items():
        sizes = tf.shape(state)
        found[name] = tf.reshape(state, [sizes[0], tf.reduce_prod(sizes[1:])])
    return found


def unpacked(rows: States, first: States) -> States:
    """Undoes `packed`; empty rows stand for the `first` states, before any step.

    Args:
        rows: float32 [b, n] by name, [b, 0] at the start of a stream.
        first: initial states of b streams, of fixed inner sizes.
    """
    found = {}
    for name, state in first.items():
        start = packed({name: state})[name]
        given = rows[name]
        begins = tf.shape(given)[1] == 0
        whole = tf.concat([start[:, : tf.where(begins, tf.shape(start)[1], 0)], given], axis=1)
        found[name] = tf.reshape(whole, [-1, *state.shape[1:]])
    return found
