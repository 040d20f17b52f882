"""Runs the classifier over a stream of frames; all states are tensors in and out.

Stock operations on tensors of any length run alike eagerly, in a `tf.function` and in an export.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from apps.suite.networks import streaming
from apps.suite.networks.streaming import States
from apps.video_classification import frame_encoder, model

PREVIOUS, STARTED = "previous_frame", "started"


def initial_states(trained: keras.Model, batch: int | tf.Tensor) -> States:
    """Returns the states of `chunk` at the start of a stream: zeros, all float32.

    `previous_frame` (batch, height, width, channels) and `started` (batch,), 1 once there was a
    frame (not with keras_applications); `convolutional_lstm_h` and `_c` (batch, height / 2, width
    / 2, filters) where there is one; `recurrent_0_h`, `recurrent_0_c` (not of a GRU),
    `recurrent_1_h`, …: (batch, units).

    Raises:
        ValueError: a BiLSTM, which needs what comes later.
    """
    layers = {layer.name: layer for layer in trained.layers}
    states: States = {}
    if frame_encoder.CHANNELS in layers:
        channels = 3 if layers[frame_encoder.CHANNELS].colour else 1
        height, width = trained.input["frames"].shape[2:4]
        states[PREVIOUS] = tf.zeros((batch, height, width, channels))
        states[STARTED] = tf.zeros((batch,))
    if frame_encoder.MEMORY in layers:
        shape = layers[frame_encoder.MEMORY].output[1].shape[1:]
        for name in "hc":
            states[f"{frame_encoder.MEMORY}_{name}"] = tf.zeros((batch, *shape))
    return {**states, **streaming.initial_states(trained, batch)}


def chunk(trained: keras.Model, frames: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
    """Computes the next frames of a stream.

    Args:
        trained: what `model.build` returns, with a causal layer.
        frames: uint8 (batch, time, height, width, 3), at least one row and one frame.
        states: those of `initial_states`, or what the last call returned.

    Returns:
        Evidence (batch, time, classes), which a softmax makes probabilities of, and the new
        states. Concatenated, the chunks' results are those of `model.per_frame`.
    """
    after: States = {}
    seen: dict[str, Any] = {}  # what each layer gave, by its name

    def run(layer: keras.Layer, values: Any) -> Any:
        """Returns a layer's output, and notes its next states."""
        if layer.name == frame_encoder.CHANNELS:
            values, after[PREVIOUS] = layer.chunk(values, states[PREVIOUS], states[STARTED])
            after[STARTED] = tf.ones_like(states[STARTED])
            return values
        if layer.name == frame_encoder.MEMORY or layer.name.startswith("recurrent_"):
            names = [name for name in states if name.startswith(f"{layer.name}_")]
            given = [states[name] for name in names]
            values, *new = layer(values, initial_state=given, training=False)
            after.update(zip(names, new, strict=True))
            return values
        if layer.name == model.BESIDE:
            return layer([seen[node.operation.name] for node in _made_of(layer)])
        return layer(values, training=False) if layer._call_has_training_arg else layer(values)

    if not states.keys() >= {f"{layer.name}_h" for layer in streaming.recurrent_layers(trained)}:
        raise ValueError("states are missing: take those of initial_states")
    values: Any = frames
    for layer in _trunk(trained):
        values = seen[layer.name] = run(layer, values)
    return values, after


def _trunk(trained: keras.Model) -> list[keras.Layer]:
    """Returns the layers from the frames to the evidence, in order."""
    layer, found = trained.get_layer(model.EVIDENCE), []
    while not isinstance(layer, keras.layers.InputLayer):
        found.append(layer)
        layer = _made_of(layer)[0].operation
    return found[::-1]


def _made_of(layer: keras.Layer) -> list[Any]:
    """Returns the nodes whose outputs a layer takes; of several the first one is in the trunk."""
    return list(layer._inbound_nodes[0].parent_nodes)
