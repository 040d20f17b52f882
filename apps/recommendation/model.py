"""Builds the network: it reads a history of items, and scores each item that may come next.

One table of item vectors reads the history and scores the items.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

import lstm_layers
from apps.recommendation import config as configs
from apps.recommendation.repeats import Repeats
from apps.recommendation.transitions import Transitions


@keras.saving.register_keras_serializable(package="recommendation")
class ItemTable(keras.layers.Layer):
    """An embedding that is tied to the output (Press and Wolf 2017), with a bias for each item.

        vector of code c = E[c - 1], of code 0 zeros
        score of code c for a vector v = v · E[c - 1] + b[c - 1]

    Weights: `embeddings` E (items, units), `bias` b (items,).

    Args:
        item_count: items that have a code, from 1.
        units: size of a vector.
        first_bias: float32 (items,) that the bias starts from; zeros if None.

    Call arguments:
        inputs: codes, int (batch, time); with `reverse`, vectors (…, units).
        reverse: whether scores are asked for.

    Returns:
        Vectors (batch, time, units); with `reverse`, scores
        (…, items) of the codes 1, 2, …
    """

    def __init__(
        self, item_count: int, units: int, first_bias: np.ndarray | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.item_count = item_count
        self.units = units
        self._first_bias = first_bias

    def build(self, input_shape: Any = None) -> None:
        self.embeddings = self.add_weight(
            shape=(self.item_count, self.units),
            initializer=keras.initializers.RandomNormal(stddev=self.units**-0.5),
            name="embeddings",
        )
        self.bias = self.add_weight(shape=(self.item_count,), initializer="zeros", name="bias")
        if self._first_bias is not None:
            self.bias.assign(self._first_bias)
        self.built = True

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        if reverse:
            return ops.matmul(inputs, ops.transpose(self.embeddings)) + self.bias
        known = ops.cast(ops.not_equal(inputs, 0), self.compute_dtype)
        vectors = ops.take(self.embeddings, ops.maximum(inputs - 1, 0), axis=0)
        return ops.cast(vectors, self.compute_dtype) * known[..., None]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "item_count": self.item_count, "units": self.units}


@keras.saving.register_keras_serializable(package="recommendation")
class HiddenItems(keras.layers.Layer):
    """Hides a share of the items of each history in training: their vectors become zeros.

    A network that may miss any item of a history cannot lean on a single one of them.

    Args:
        share: of the items, at least 0 and below 1.
        seed: of the draws.

    Call arguments:
        codes: int (batch, time).
        training: whether items are hidden.
    """

    def __init__(self, share: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.share = share
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, codes: Any, training: bool = False) -> Any:
        if not training or not self.share:
            return codes
        drawn = keras.random.uniform(ops.shape(codes), seed=self.seed_generator)
        return codes * ops.cast(drawn >= self.share, codes.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "share": self.share, "seed": self.seed}


_FEWEST = 0.5  # events that an item without any counts as, where a logarithm is taken


def build(
    config: configs.Config, item_count: int, item_counts: np.ndarray | None = None
) -> keras.Model:
    """Builds the model that is evaluated, saved and served, uncompiled.

        history -> item table -> dropout -> recurrent layers -> norm -> projection -> item table
            -> with `model.repeats` a mixture with pointers to the history

    It computes in float32, whatever its training does. Seeds are drawn from Keras's global
    generator, so that a seed fixes the first weights.

    Args:
        config: sizes, kind of layer, regularisation.
        item_count: items that have a code.
        item_counts: events of each item in the train part (items,); the scores start from their
            logarithms, so that only the effect of a history is left to learn. None for zeros.

    Returns:
        A model of `history`, int32 (batch, time) with 0 for padding, to scores,
        float32 (batch, items), of the item after the last one. Column 0 is the item of code 1.
    """
    layers = _layers(config, item_count, item_counts)
    history = keras.Input((None,), dtype="int32", name="history")
    outputs, _ = recurrent_outputs(layers, history)
    # A masked step repeats the output before it, so the last step holds that of the last item,
    # wherever the zeros are.
    last = queries(layers, outputs[:, -1])
    scores = with_repeats(layers, layers["items"](last, reverse=True), last, history)
    return keras.Model(history, scores, name="next_item_model")


def layers_of(model: keras.Model) -> dict[str, keras.Layer]:
    """Returns the layers of a built or loaded model by their names."""
    return {layer.name: layer for layer in model.layers}


def recurrent_outputs(
    layers: dict[str, keras.Layer],
    history: Any,
    states: list[list[Any]] | None = None,
    training: bool | None = None,
    zeros_behind: bool = False,
) -> tuple[Any, list[list[Any]]]:
    """Returns the recurrent layers' outputs at each item, and their states after the last.

    Args:
        layers: of `layers_of`.
        history: int32 (batch, time), 0 = no item: states and output stay as they were.
        states: of each recurrent layer before the first item; zeros if None.
        training: true if items are hidden and dropout acts. Zeros must then follow the items.
        zeros_behind: true if the zeros follow the items of each row. Outputs there, and
            states after them, mean nothing: without a mask the loop over time is faster.

    Returns:
        (batch, time, units), and the states of each layer, (batch, units) each.
    """
    codes = layers["hidden_items"](history, training=training)
    values = layers["items"](codes)
    mask = None if training or zeros_behind else history != 0
    values = layers["embedding_dropout"](values, training=training)
    after = []
    for depth in range(sum(name.startswith("recurrent_") for name in layers)):
        values, *new = layers[f"recurrent_{depth}"](
            values,
            mask=mask,
            initial_state=None if states is None else states[depth],
            training=training,
        )
        after.append(new)
        values = layers[f"dropout_{depth}"](values, training=training)
    return values, after


def last_outputs(layers: dict[str, keras.Layer], history: Any) -> Any:
    """Returns the recurrent layers' output at the last item of each row, (batch, units).

    Args:
        layers: of `layers_of`.
        history: int32 (batch, time), one step or more, with zeros only after the items. The
            output of a row without an item means nothing.
    """
    outputs, _ = recurrent_outputs(layers, history, training=False, zeros_behind=True)
    lengths = keras.ops.count_nonzero(history, axis=1)
    last = keras.ops.maximum(lengths - 1, 0)[:, None, None]
    return keras.ops.take_along_axis(outputs, last, axis=1)[:, 0]


def queries(layers: dict[str, keras.Layer], outputs: Any) -> Any:
    """Projects outputs (…, units) to vectors (…, embedding units) to compare with items."""
    if "layer_norm" in layers:
        outputs = layers["layer_norm"](outputs)
    if "projection" in layers:
        outputs = layers["projection"](outputs)
    return outputs


def with_repeats(layers: dict[str, keras.Layer], scores: Any, vectors: Any, history: Any) -> Any:
    """Scores (batch, items) of the table, mixed with the history's; see `repeats.Repeats`."""
    if "repeats" not in layers:
        return scores
    return layers["repeats"](scores, vectors, history)


def with_transitions(layers: dict[str, keras.Layer], scores: Any, history: Any) -> Any:
    """Scores (batch, items), joined with counts; see `transitions.Transitions`."""
    if "transitions" not in layers:
        return scores
    return layers["transitions"](scores, history)


def joined(network: keras.Model, width: int) -> keras.Model:
    """Returns a network with a layer of transitions after it, whose weights are still zeros.

    Args:
        network: of `build`.
        width: successors of an item that the layer holds.
    """
    layer = Transitions(network.output.shape[-1], width, name="transitions")
    return keras.Model(network.input, layer(network.output, network.input), name=network.name)


def network_alone(model: keras.Model) -> keras.Model:
    """Returns the network of a model of `joined`; any other model itself."""
    layer = layers_of(model).get("transitions")
    return model if layer is None else keras.Model(model.input, layer.input[0], name=model.name)


def _layers(
    config: configs.Config, item_count: int, item_counts: np.ndarray | None
) -> dict[str, keras.Layer]:
    model = config.model
    first_bias = None
    if item_counts is not None:
        counts = np.maximum(np.asarray(item_counts, np.float64), _FEWEST)
        first_bias = np.log(counts / counts.sum() * item_count).astype(np.float32)
    made: list[keras.Layer] = [
        HiddenItems(model.item_dropout, name="hidden_items"),
        ItemTable(item_count, model.embedding_units, first_bias, name="items"),
        keras.layers.Dropout(model.embedding_dropout, name="embedding_dropout"),
    ]
    for depth in range(model.layer_count):
        options = {"return_sequences": True, "return_state": True, "name": f"recurrent_{depth}"}
        if model.layer == "gru":
            made.append(lstm_layers.GRU(model.units, **options))
        else:
            peepholes = "ifo" if model.layer == "peephole_lstm" else ""
            made.append(lstm_layers.PeepholeLSTM(model.units, peepholes=peepholes, **options))
        made.append(keras.layers.Dropout(model.dropout, name=f"dropout_{depth}"))
    if model.layer_norm:
        made.append(keras.layers.LayerNormalization(name="layer_norm"))
    if model.units != model.embedding_units:
        made.append(keras.layers.Dense(model.embedding_units, use_bias=False, name="projection"))
    if model.repeats:
        made.append(Repeats(model.embedding_units, model.history_items, name="repeats"))
    return {layer.name: layer for layer in made}
