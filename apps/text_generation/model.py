"""The language model: embedding, stacked recurrent layers, a distribution over the next token.

The language model in training: states go from batch to batch, and the cores share the rows.

Empties the state of some rows as they walk through the text, so that a model can begin anywhere.

A row that carries its state for ever starts from nothing once, at the very first step. The trained
model then has never seen an empty state with its final weights, and may fall into one of its own
making that no text leads out of: stretches of a test text cost twice the nats of their neighbours.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import lstm_layers
from apps.suite import process
from apps.suite.distribution import replicas
from apps.text_generation import config as configs
from apps.text_generation import mixture


class CarriedModel(keras.Model):
    """Each call goes on from the states in which the last one ended, row by row.

    That is truncated back-propagation through time (Werbos 1990): gradients stop where a call
    begins. The rows are computed in `parts` that know nothing of each other, so that TensorFlow
    runs them side by side: one core to each is faster than all cores in each single product,
    since the steps between the products then share the cores as well. The gradient is that of the
    whole batch whatever the parts, up to rounding.

    Args:
        streaming: a model of [tokens, *states] to [logits, *states], as `model.build_streaming`
            returns it; this one trains its weights.
        batch_size: rows, a multiple of `parts`. Where training is distributed, of all replicas
            together: each computes and carries its share of them.
        parts: groups of rows; fewer where a replica's rows cannot be cut into as many.

    Call arguments:
        tokens: int32 (batch, time), of this replica.
        training: whether dropout acts.

    Returns:
        Logits float32 of each part: a list of (batch / parts, time, vocabulary).
    """

    def __init__(self, streaming: keras.Model, batch_size: int, parts: int) -> None:
        super().__init__(name="carried_language_model")
        if batch_size % parts:
            raise ValueError(f"{batch_size} rows cannot be cut into {parts} equal parts")
        self.streaming = streaming
        self.parts = math.gcd(parts, replicas.of(batch_size))
        self.states = [
            replicas.state(batch_size, state.shape[-1], state.name)
            for state in streaming.inputs[1:]
        ]
        self.built = True

    def call(self, tokens: tf.Tensor, training: bool = False) -> list[tf.Tensor]:
        before = zip(*(tf.split(state, self.parts) for state in self.states), strict=True)
        logits, after = [], []
        for rows, states in zip(tf.split(tokens, self.parts), before, strict=True):
            row_logits, *new = self.streaming([rows, *states], training=training)
            logits.append(tf.cast(row_logits, tf.float32))
            after.append(new)
        for state, new in zip(self.states, zip(*after, strict=True), strict=True):
            state.assign(tf.cast(tf.concat(new, axis=0), state.dtype))
        return logits

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Returns a replica's share of the mean -ln p of next tokens `y` int32 (batch, time)."""
        nats = [
            tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(following, logits))
            for following, logits in zip(tf.split(y, self.parts), y_pred, strict=True)
        ]
        return replicas.share_of_equals(tf.add_n(nats) / self.parts)


class FreshStarts(keras.callbacks.Callback):
    """Sets a row's states to zero before every window whose number is a multiple of `windows`.

    The model keeps its states, each (rows, units), in a list `states` (`replicas.state`).

    Rows take turns, so that about the same number of them begin at each step. Which ones is a
    function of the step alone: a resumed training does as one that was not interrupted.

    Args:
        windows: that a row reads from an empty state to the next.
        steps_per_checkpoint: steps of one Keras epoch, to tell the step from epoch and batch.
    """

    def __init__(self, windows: int, steps_per_checkpoint: int) -> None:
        super().__init__()
        self.windows = windows
        self.steps_per_checkpoint = steps_per_checkpoint
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        step = self._epoch * self.steps_per_checkpoint + batch
        for state in self.model.states:
            kept = self.kept(step, replicas.whole_shape(state)[0])[:, None]
            for rows, part in replicas.parts(state):
                part.assign(part * kept[rows])

    def kept(self, step: int, rows: int) -> np.ndarray:
        """Returns 1 for rows that continue here and 0 for rows that restart, float32 (rows,)."""
        turn = np.arange(rows) * self.windows // rows
        return ((step + turn) % self.windows != 0).astype(np.float32)


def build(config: configs.Config, vocabulary_size: int, parts: int = 1) -> CarriedModel:
    """Builds the model for training, uncompiled: see `CarriedModel`.

    Its trainable weights are those of `build_streaming`, in the same order.

    Args:
        config: sizes, kind of layer, regularisation; rows and precision of the training.
        vocabulary_size: number of token ids.
        parts: groups of rows that are computed side by side.
    """
    policy = process.resolve_precision(config.training.precision)
    streaming = build_streaming(config, vocabulary_size, policy)
    return CarriedModel(streaming, config.training.batch_size, parts)


def build_streaming(
    config: configs.Config, vocabulary_size: int, policy: str = "float32"
) -> keras.Model:
    """Builds the model for scoring, saving and serving: states are inputs and outputs.

    It computes in float32 whatever precision it was trained in: a server has one row at a time to
    answer, and 16-bit products are of use for many.

    Args:
        config: sizes, kind of layer and regularisation.
        vocabulary_size: number of token ids.
        policy: Keras dtype policy of the products.

    Returns:
        An uncompiled model of [tokens, *states], int32 (batch, time) and float32, to [logits,
        *states], float32 (batch, time, vocabulary). The states are those of the layers from the
        bottom, each (batch, units): h and c for an LSTM, h for a GRU.
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    layers = _layers(config, vocabulary_size, policy)
    before = [
        [keras.Input((size,), name=f"state_{depth}_{part}") for part, size in enumerate(sizes)]
        for depth, sizes in enumerate(layer.state_size for layer in _recurrent(layers))
    ]
    logits, after = _forward(layers, tokens, before)
    flat = itertools.chain.from_iterable
    return keras.Model(
        [tokens, *flat(before)], [logits, *flat(after)], name="streaming_language_model"
    )


def step(
    streaming: keras.Model, tokens: tf.Tensor, states: list[tf.Tensor]
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """One token of each row, without the loop over time that a call of the model holds.

    Args:
        streaming: what `build_streaming` or `mixture.mixed` returns.
        tokens: int32 (batch,).
        states: as `sampling.initial_states` returns them.

    Returns:
        Logits of the next token, float32 (batch, vocabulary), and the new states.
    """
    layers = {layer.name: layer for layer in streaming.layers}
    values = layers["embedding"](tokens)
    after: list[tf.Tensor] = []
    for layer in _recurrent(layers):
        here = states[len(after) : len(after) + len(layer.state_size)]
        values, new = layer.step(values, here)
        after += [tf.cast(state, tf.float32) for state in new]
    logits = _logits(layers, values)
    if mixture.LAYER in layers:
        logits, grams = layers[mixture.LAYER].step(logits, tokens, states[-1])
        after.append(grams)
    return logits, after


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Gives one model the trainable weights of another of the same config."""
    for weight, value in zip(target.trainable_weights, source.trainable_weights, strict=True):
        weight.assign(value)


def _layers(config: configs.Config, vocabulary_size: int, policy: str) -> dict:
    """Builds all layers, by name. Seeds come from the global generator, which one seed fixes."""
    model = config.model
    made: dict[str, keras.Layer] = {}
    embedding = keras.layers.Embedding
    if model.tie_embeddings:  # one matrix reads and writes tokens (Press and Wolf 2017)
        embedding = keras.layers.ReversibleEmbedding
    made["embedding"] = embedding(
        vocabulary_size, model.embedding_units, dtype=policy, name="embedding"
    )
    # Spatial dropout draws one mask for all steps of a window: what Gal and Ghahramani (2016)
    # call variational.
    dropout = keras.layers.SpatialDropout1D if model.variational else keras.layers.Dropout
    made["embedding_dropout"] = dropout(model.embedding_dropout, name="embedding_dropout")
    for depth in range(model.layer_count):
        options = {
            "return_sequences": True,
            "return_state": True,
            "weight_dropout": model.weight_dropout,
            "dtype": policy,
            "name": f"recurrent_{depth}",
        }
        if model.layer == "gru":
            layer = lstm_layers.GRU(model.units, **options)
        else:
            peepholes = "ifo" if model.layer == "peephole_lstm" else ""
            layer = lstm_layers.PeepholeLSTM(model.units, peepholes=peepholes, **options)
        made[layer.name] = layer
        made[f"dropout_{depth}"] = dropout(model.dropout, name=f"dropout_{depth}")
    if model.tie_embeddings and model.embedding_units != model.units:
        made["output_projection"] = keras.layers.Dense(
            model.embedding_units, use_bias=False, dtype=policy, name="output_projection"
        )
    if not model.tie_embeddings:
        made["logits"] = keras.layers.Dense(vocabulary_size, dtype=policy, name="logits")
    return made


def _recurrent(layers: dict) -> list:
    return [layer for name, layer in layers.items() if name.startswith("recurrent_")]


def _forward(
    layers: dict, tokens: keras.KerasTensor, before: list
) -> tuple[keras.KerasTensor, list[list[keras.KerasTensor]]]:
    """Logits, and the states of each layer after the last token."""
    values = layers["embedding_dropout"](layers["embedding"](tokens))
    after = []
    for depth, states in enumerate(before):
        values, *new = layers[f"recurrent_{depth}"](values, initial_state=states)
        after.append(new)
        values = layers[f"dropout_{depth}"](values)
    return _logits(layers, values), after


def _logits(layers: dict, values: Any) -> Any:
    if "logits" in layers:
        return layers["logits"](values)
    if "output_projection" in layers:
        values = layers["output_projection"](values)
    return layers["embedding"](values, reverse=True)
