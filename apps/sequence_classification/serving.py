"""Builds the signatures of the export, which take sequences or texts, and their requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.sequence_classification import data, scoring, trained_model
from apps.suite.export import assets
from apps.suite.networks import sequence_encoder, streaming
from apps.suite.serving import signatures, warmup_requests

_ANSWER = {
    "label": "string[…]",  # [b], or [b, time] with labels by step
    "label_names": "string[labels]",
    "probabilities": "float32[…]",  # one side more than the labels
}
SIGNATURES = {
    "serving_default": signatures.Signature({"values": "float32[b, time, channels]"}, _ANSWER),
    "stream": signatures.Signature(
        {"chunk": "float32[b, steps, channels]", signatures.STATES: "float32[b, numbers]"},
        {
            "label": "string[b]",
            "label_names": "string[labels]",
            "probabilities": "float32[b, steps, labels]",
            signatures.STATES: "float32[b, numbers]",
        },
        optional=True,  # only of a model that needs no later step
    ),
    "assets": signatures.ASSETS,
}
"""Values are NaN after the end of a sequence and where missing; a stream's states begin as [b, 0].

A model of texts takes `text` string[b] instead of `values`: `TEXT_SIGNATURES`.
"""
TEXT_SIGNATURES = {
    "serving_default": signatures.Signature({"text": "string[b]"}, _ANSWER),
    "assets": signatures.ASSETS,
}


class ServedClassifier:
    """Serves a classifier: whole sequences, or texts, and streams.

    Args:
        trained: what training left.

    Attributes:
        saved: what has to be saved for the signatures.
        settings: the asset settings.json: what clients need beside the signatures.
    """

    def __init__(self, trained: trained_model.TrainedModel) -> None:
        self._trained = trained
        self._scorer = scoring.Scorer(trained.model, trained.vocabulary)
        self._names = tf.constant(list(trained.label_names))
        self._stream = (
            sequence_encoder.Stream(trained.model, trained.config.model)
            if trained.streams
            else None
        )
        self.saved = tf.Module(name="served_classifier")
        self.saved.weights = [weight.value for weight in trained.model.weights]
        self.saved.vocabulary = trained.vocabulary
        self.settings = {
            "label_names": list(trained.label_names),
            "channel_names": list(trained.channel_names),
            "per": trained.config.target.per,
            "states": list(self._stream.initial_states(1)) if self._stream else [],
        }
        self.assets = assets.Assets({assets.SETTINGS: json.dumps(self.settings, indent=2) + "\n"})
        self.saved.assets = self.assets.saved

    def signatures(self) -> dict[str, Any]:
        """Returns a traced or traceable function by the name of its signature."""
        channels = len(self._trained.channel_names)
        answer: Any = self.sequences
        given = tf.TensorSpec([None, None, channels], tf.float32, "values")
        if not channels:
            given, answer = tf.TensorSpec([None], tf.string, "text"), self.texts
        found = {
            "serving_default": tf.function(answer, autograph=False, input_signature=[given]),
            "assets": self.assets.signature(),
        }
        if self._stream is not None:
            states = {
                name: tf.TensorSpec([None, None], tf.float32, name)
                for name in self.settings["states"]
            }
            found["stream"] = tf.function(self.stream, autograph=False).get_concrete_function(
                chunk=tf.TensorSpec([None, None, channels], tf.float32, "chunk"), **states
            )
        return found

    def sequences(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default` of a model of numbers."""
        rows = tf.shape(values)[0]
        values = _checked(values, "values")
        told = ["values: a sequence without any value; leave it out"]
        there = tf.reduce_all(tf.reduce_any(~tf.math.is_nan(values), axis=[1, 2])[:rows])
        with tf.control_dependencies([tf.debugging.Assert(there, told)]):
            values = tf.identity(values)
        if not self._trained.config.per_step:
            values = data.preprocess(values)
        return self._answer(self._scorer.of_batch(values)[:rows])

    def texts(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default` of a model of texts."""
        missing = tf.cast(tf.shape(text)[0] == 0, tf.int32)
        padded = tf.concat([text, tf.fill([missing], "")], axis=0)
        return self._answer(self._scorer.of_batch(padded)[: tf.shape(text)[0]])

    def stream(self, chunk: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `stream`: the probabilities after each step."""
        assert self._stream is not None
        rows = tf.shape(chunk)[0]
        chunk = _checked(chunk, "chunk")
        given = {name: _one_row(state, rows) for name, state in states.items()}
        first = self._stream.initial_states(tf.shape(chunk)[0])
        vectors, after = self._stream.advance(chunk, streaming.unpacked(given, first))
        logits = self._trained.model.get_layer("logits")(vectors)
        probabilities = tf.nn.softmax(logits)[:rows]
        return {
            "probabilities": probabilities,
            "label": tf.gather(self._names, tf.argmax(probabilities[:, -1], axis=-1)),
            "label_names": self._names,
            **{name: state[:rows] for name, state in streaming.packed(after).items()},
        }

    def _answer(self, probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "label": tf.gather(self._names, tf.argmax(probabilities, axis=-1)),
            "label_names": self._names,
            "probabilities": probabilities,
        }


def served(run: Path) -> ServedClassifier:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    return ServedClassifier(trained_model.load(run))


def _checked(values: tf.Tensor, name: str) -> tf.Tensor:
    """Returns values of at least one row, after a check of their number and their finiteness."""
    checks = [
        tf.debugging.Assert(~tf.reduce_any(tf.math.is_inf(values)), [f"{name}: an infinite value"]),
        tf.debugging.Assert(tf.shape(values)[1] > 0, [f"{name}: no steps; give at least one"]),
    ]
    with tf.control_dependencies([each for each in checks if each is not None]):
        return _one_row(values, tf.shape(values)[0])


def _one_row(values: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns the rows, or one row of zeros: fused convolutions refuse an empty batch."""
    added = tf.cast(rows == 0, tf.int32)
    return tf.pad(values, [[0, added], *([0, 0] for _ in values.shape[1:])])


def requests(trained: trained_model.TrainedModel) -> list[warmup_requests.Request]:
    """Returns requests of one and of several sequences, with the answers of Keras."""
    if trained.vocabulary is not None:
        texts = ["", "one two three", "What is this? It is a text.", *trained.vocabulary.words[:2]]
        found = [_texts(trained, texts[1:2]), _texts(trained, texts)]
        return [*found, assets.request()]
    layer = trained.model.get_layer("sequence_inputs")
    channels = len(trained.channel_names)
    mean = np.array(layer.mean or [0.0] * channels)
    deviation = np.array(layer.deviation or [1.0] * channels)
    draw = np.random.default_rng(0)
    drawn = (mean + deviation * draw.normal(size=(3, 23, channels))).astype(np.float32)
    drawn[1, 14:] = drawn[2, 20:] = np.nan
    drawn[0, 3, 0] = np.nan
    found = [_sequences(trained, drawn[:1, :9]), _sequences(trained, drawn)]
    if trained.streams:
        for values in (drawn[:1], drawn):
            found += _stream(trained, values)
    return [*found, assets.request()]


def _names(trained: trained_model.TrainedModel) -> np.ndarray:
    return np.array([name.encode() for name in trained.label_names], object)


def _request(
    trained: trained_model.TrainedModel, name: str, given: np.ndarray, inputs: Any
) -> warmup_requests.Request:
    probabilities = tf.nn.softmax(trained.model(inputs, training=False)).numpy()
    names = _names(trained)
    answers = {
        "label": names[probabilities.argmax(axis=-1)],
        "label_names": names,
        "probabilities": probabilities,
    }
    return warmup_requests.Request("serving_default", {name: given}, answers)


def _texts(trained: trained_model.TrainedModel, texts: list[str]) -> warmup_requests.Request:
    assert trained.vocabulary is not None
    given = np.array([text.encode() for text in texts], object)
    return _request(
        trained, "text", given, data.text_inputs(trained.vocabulary, tf.constant(texts))
    )


def _sequences(trained: trained_model.TrainedModel, values: np.ndarray) -> warmup_requests.Request:
    return _request(trained, "values", values, tf.constant(values))


def _stream(
    trained: trained_model.TrainedModel, values: np.ndarray
) -> list[warmup_requests.Request]:
    """Returns requests for a first chunk and a second, answered by whole sequences."""
    stream = sequence_encoder.Stream(trained.model, trained.config.model)
    after = stream.initial_states(len(values))
    states = {name: np.zeros((len(values), 0), np.float32) for name in after}
    names, found = _names(trained), []
    for chunk in np.split(values, [10], axis=1):
        vectors, after = stream.advance(tf.constant(chunk), after)
        logits = trained.model.get_layer("logits")(vectors)
        probabilities = tf.nn.softmax(logits).numpy()
        rows = {name: state.numpy() for name, state in streaming.packed(after).items()}
        answers = {
            "probabilities": probabilities,
            "label": names[probabilities[:, -1].argmax(axis=-1)],
            "label_names": names,
            **rows,
        }
        found.append(warmup_requests.Request("stream", {"chunk": chunk, **states}, answers))
        states = rows
    return found
