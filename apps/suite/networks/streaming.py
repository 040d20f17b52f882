"""Builds recurrent layers, and holds their states by name, so that a stream can carry them."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

import lstm_layers

States = dict[str, tf.Tensor]
"""States of a stream, by name; the batch comes first."""

_FRONT = "convolution_"  # names of the states that belong to a front end


def recurrent(kind: str, units: int, depth: int) -> keras.Layer:
    """Builds a layer over all steps, which also returns its states for streams.

    Args:
        kind: bilstm (which hears no stream), gru, lstm or peephole_lstm.
        units: of the layer, in each direction.
        depth: number of layers below it.
    """
    options: dict[str, Any] = {
        "return_sequences": True, "return_state": True, "name": f"recurrent_{depth}"
    }  # fmt: skip
    if kind == "bilstm":
        return lstm_layers.BiLSTM(units, **options)
    return lstm_layers.layer_of_kind(kind, units=units, **options)


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


def initial_trunk(trained: keras.Model, batch: int | tf.Tensor) -> States:
    """Returns the states of `trunk` at the start of a stream: zeros, all float32.

    `convolution_0`, `convolution_1` (batch, frames, bands, filters) of a layer `front_end`: frames
    that are still to be seen again, a number that changes from call to call. Then those of
    `initial_states`, which raises.
    """
    front = [layer for layer in trained.layers if layer.name == "front_end"]
    left = front[0].initial_state(batch) if front else ()
    states = {f"{_FRONT}{depth}": leftover for depth, leftover in enumerate(left)}
    return {**states, **initial_states(trained, batch)}


def trunk(trained: keras.Model, features: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
    """Computes the next outputs of the recurrent layers of a model that hears features.

    Args:
        trained: of the layers `normalisation`, `front_end` if it has one, and `recurrent_…`.
        features: float32 (batch, frames, channels), any number of frames, none included.
        states: those of `initial_trunk`, or what the last call returned; others are left alone.

    Returns:
        Values (batch, new frames, units) and the new states.
    """
    layers = {layer.name: layer for layer in trained.layers}
    after: States = {}
    values = layers["normalisation"](features)
    if "front_end" in layers:
        names = [name for name in states if name.startswith(_FRONT)]
        values, left = layers["front_end"].chunk(values, [states[name] for name in names])
        after.update(zip(names, left, strict=True))
    for layer in recurrent_layers(trained):
        names = state_names(layer)
        values, *new = continued(layer, values, [states[name] for name in names])
        after.update(zip(names, new, strict=True))
    return values, after


def specs(first: States, *waiting: str) -> dict[str, tf.TensorSpec]:
    """Returns specs of states: rows are free, and so is what waits for more of the stream.

    Args:
        first: the states before the first step.
        waiting: names of those, besides the front end's, whose side after the batch is free.
    """
    found = {}
    for name, state in first.items():
        is_free = name in waiting or name.startswith(_FRONT)
        inner = [None, *state.shape[2:]] if is_free else state.shape[1:]
        found[name] = tf.TensorSpec([None, *inner], state.dtype, name)
    return found


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


def linear_recurrence(factors: tf.Tensor, terms: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """Solves y_t = factors_t y_{t-1} + terms_t for all steps, in log2(time) passes.

    Each pass joins what two neighbouring stretches of steps do to y, and doubles their length
    (Hillis and Steele, "Data parallel algorithms", 1986).

    Args:
        factors: (batch, time, kinds, 1), or of the shape of `terms`.
        terms: (batch, time, kinds, width).
        before: y before the first step, (batch, kinds, width).

    Returns:
        y_t, (batch, time, kinds, width).
    """
    time = tf.shape(terms)[1]

    def doubled(length: tf.Tensor, factors: tf.Tensor, sums: tf.Tensor) -> tuple:
        earlier = [[0, 0], [length, 0], [0, 0], [0, 0]]
        sums = sums + factors * tf.pad(sums, earlier)[:, :time]
        factors = factors * tf.pad(factors, earlier, constant_values=1)[:, :time]
        return 2 * length, factors, sums

    # A pass loses what is known of the shapes, even where the time is.
    free = tf.TensorShape([None] * 4)
    _, factors, sums = tf.while_loop(
        lambda length, *_: length < time,
        doubled,
        (tf.constant(1), factors, terms),
        shape_invariants=(tf.TensorShape([]), free, free),
    )
    solved = sums + factors * before[:, None]
    solved.set_shape(terms.shape)
    return solved
