"""Traces every gate and cell of an LSTM layer while a trained model reads a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

import lstm_layers


class Tracker(NamedTuple):
    """The unit of a layer whose cell state goes along with a property of the text the most."""

    unit: int
    correlation: float


def trace(streaming: keras.Model, tokens: np.ndarray, depth: int = 0) -> Any:
    """Gates, cell states and outputs of a layer at every token, recomputed from its weights.

    Args:
        streaming: what `model.build_streaming` returns.
        tokens: int [tokens], read from states of zero on.
        depth: of the layer, 0 for the lowest.

    Returns:
        i, f, g, o, c and h, each float32 [tokens, units].

    Raises:
        ValueError: a layer without cell states, such as a GRU.
    """
    values = streaming.get_layer("embedding")(tf.constant(tokens, tf.int32)[None])
    for below in range(depth):
        layer = streaming.get_layer(f"recurrent_{below}")
        zeros = layer.get_initial_state(1)
        values = layer(values, initial_state=zeros)[0]
    layer = streaming.get_layer(f"recurrent_{depth}")
    if len(layer.state_size) != 2:
        raise ValueError(f"{layer.name} is not an LSTM: it has no cell state to be traced")
    found = _traced(layer, values)
    return type(found)(*(value[0].numpy() for value in found))


def best_tracker(states: np.ndarray, values: np.ndarray) -> Tracker:
    """Finds the unit whose state correlates most, with either sign, with a property.

    Args:
        states: float [tokens, units].
        values: float [tokens]; what does not vary correlates with nothing.
    """
    states = states - states.mean(axis=0)
    values = values - values.mean()
    scale = np.sqrt((states**2).sum(axis=0) * (values**2).sum())
    correlations = (values @ states) / np.where(scale > 0, scale, np.inf)
    unit = int(np.abs(correlations).argmax())
    return Tracker(unit, float(correlations[unit]))


def properties(text: str) -> Mapping[str, np.ndarray]:
    """Computes properties of the text at each character, float [characters] by name.

    Position in the line and in the word; whether a capital letter began the word; whether quotation
    marks are open, where the text has any.
    """
    line = np.zeros(len(text))
    word = np.zeros(len(text))
    capital = np.zeros(len(text))
    quoted = np.zeros(len(text))
    in_line = in_word = 0
    is_capital = is_open = False
    for at, character in enumerate(text):
        in_line = 0 if character == "\n" else in_line + 1
        if character.isalpha():
            is_capital = character.isupper() if in_word == 0 else is_capital
            in_word += 1
        else:
            in_word, is_capital = 0, False
        if character in '"“”':
            is_open = character == "“" or (character == '"' and not is_open)
        line[at], word[at], capital[at], quoted[at] = in_line, in_word, is_capital, is_open
    found = {
        "position in the line": line,
        "position in the word": word,
        "in a word with a capital": capital,
    }
    return found | ({"inside quotation marks": quoted} if quoted.any() else {})


@tf.function(autograph=False, reduce_retracing=True)
def _traced(layer: keras.Layer, values: tf.Tensor) -> Any:
    return lstm_layers.trace(layer, values)
