"""Builds the signatures of the export, which take sequences or texts, and their requests."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.sequence_regression import scoring, trained_model
from apps.suite.export import assets
from apps.suite.networks import sequence_encoder, streaming
from apps.suite.serving import signatures, warmup_requests

_ANSWER = {
    # [b], or [b, time] where every step has a value; one side more for several targets
    "value": "float32[…]",
    "lower": "float32[…]",
    "upper": "float32[…]",
    "target_names": "string[targets]",
}
SIGNATURES = {
    "serving_default": signatures.Signature({"values": "float32[b, time, channels]"}, _ANSWER),
    "stream": signatures.Signature(
        {"chunk": "float32[b, steps, channels]", signatures.STATES: "float32[b, numbers]"},
        {**_ANSWER, signatures.STATES: "float32[b, numbers]"},
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


class ServedRegression:
    """Serves a regression: whole sequences, or texts, and streams.

    Args:
        trained: what training left.

    Attributes:
        saved: what has to be saved for the signatures.
        settings: the asset settings.json: what clients need beside the signatures.
    """

    def __init__(self, trained: trained_model.TrainedModel) -> None:
        self._trained = trained
        self._scorer = scoring.Scorer(trained.model, trained.config, trained.vocabulary)
        self._names = tf.constant(list(trained.target_names))
        self._stream = (
            sequence_encoder.Stream(trained.model, trained.config.model)
            if trained.streams
            else None
        )
        self.saved = tf.Module(name="served_regression")
        self.saved.weights = [weight.value for weight in trained.model.weights]
        self.saved.vocabulary = trained.vocabulary
        self.settings = settings(trained)
        self.assets = assets.Assets({assets.SETTINGS: json.dumps(self.settings, indent=2) + "\n"})
        self.saved.assets = self.assets.saved

    def signatures(self) -> dict[str, Any]:
        """Returns a traced or traceable function by the name of its signature."""
        channels = len(self._trained.channel_names)
        given = tf.TensorSpec([None], tf.string, "text")
        if channels:
            given = tf.TensorSpec([None, None, channels], tf.float32, "values")
        answer = self.sequences if channels else self.texts
        found = {
            "serving_default": tf.function(answer, autograph=False, input_signature=[given]),
            "assets": self.assets.signature(),
        }
        if self._stream is not None:
            states = {
                name: tf.TensorSpec([None, None], tf.float32, name)
                for name in self._stream.initial_states(1)
            }
            found["stream"] = tf.function(self.stream, autograph=False).get_concrete_function(
                chunk=tf.TensorSpec([None, None, channels], tf.float32, "chunk"), **states
            )
        return found

    def sequences(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default` of a model of numbers."""
        rows = tf.shape(values)[0]
        values = _checked(values, "values")
        there = tf.reduce_all(tf.reduce_any(~tf.math.is_nan(values), axis=[1, 2])[:rows])
        told = ["values: a sequence without any value; leave it out"]
        with tf.control_dependencies([tf.debugging.Assert(there, told)]):
            values = tf.identity(values)
        return self._answer(self._scorer.of_batch(values)[:rows])

    def texts(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default` of a model of texts."""
        missing = tf.cast(tf.shape(text)[0] == 0, tf.int32)
        padded = tf.concat([text, tf.fill([missing], "")], axis=0)
        return self._answer(self._scorer.of_batch(padded)[: tf.shape(text)[0]])

    def stream(self, chunk: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `stream`: the values after each step, [b, steps] or with targets."""
        assert self._stream is not None
        rows = tf.shape(chunk)[0]
        chunk = _checked(chunk, "chunk")
        given = {name: _one_row(state, rows) for name, state in states.items()}
        first = self._stream.initial_states(tf.shape(chunk)[0])
        vectors, after = self._stream.advance(chunk, streaming.unpacked(given, first))
        outputs = self._trained.model.get_layer("quantiles")(vectors)
        packed = streaming.packed(after)
        return {
            **self._answer(outputs[:rows]),
            **{name: state[:rows] for name, state in packed.items()},
        }

    def _answer(self, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
        found = scoring.answers(self._trained, outputs)
        if len(self._trained.target_names) == 1:
            found = tuple(each[..., 0] for each in found)
        return {
            **dict(zip(("value", "lower", "upper"), found, strict=True)),
            "target_names": self._names,
        }


def served(run: Path) -> ServedRegression:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    return ServedRegression(trained_model.load(run))


def settings(trained: trained_model.TrainedModel) -> dict[str, Any]:
    """Returns what clients need beside the signatures."""
    config = trained.config
    return {
        "target_names": list(trained.target_names),
        "channel_names": list(trained.channel_names),
        "per": config.target.per,
        "remaining": config.target.remaining,
        "coverage": config.intervals.coverage,
        "streams": trained.streams,
        "data_format": dataclasses.asdict(config.data_format),
    }


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
        texts = ["one two three", "", "What is this? It is a text.", *trained.vocabulary.words[:2]]
        found = [_texts(trained, texts[:1]), _texts(trained, texts)]
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


def _answers(trained: trained_model.TrainedModel, outputs: np.ndarray) -> Mapping[str, np.ndarray]:
    """Returns the answers to outputs (…, targets, 4), computed in NumPy."""
    value = outputs[..., 0 if trained.config.model.answer == "mean" else 2]
    offsets = np.array(trained.offsets, np.float32)
    found = [outputs[..., 1] - offsets, value, outputs[..., 3] + offsets]
    if trained.limits is not None:
        found = [np.clip(each, *trained.limits) for each in found]
    lower, value, upper = found
    if len(trained.target_names) == 1:
        lower, value, upper = (each[..., 0] for each in (lower, value, upper))
    names = np.array([name.encode() for name in trained.target_names], object)
    return {
        "value": value,
        "lower": np.minimum(lower, value),
        "upper": np.maximum(upper, value),
        "target_names": names,
    }


def _texts(trained: trained_model.TrainedModel, texts: list[str]) -> warmup_requests.Request:
    assert trained.vocabulary is not None
    ids, letters = trained.vocabulary.encode(tf.constant(texts))
    outputs = trained.model({"words": ids, "letters": letters}, training=False).numpy()
    given = np.array([text.encode() for text in texts], object)
    return warmup_requests.Request(
        "serving_default", {"text": given}, dict(_answers(trained, outputs))
    )


def _sequences(trained: trained_model.TrainedModel, values: np.ndarray) -> warmup_requests.Request:
    """Returns a request that Keras answers row by row, without padding."""
    rows = []
    for row in values:
        steps = int(np.isfinite(row).any(axis=1).sum())
        found = trained.model(row[None, :steps], training=False).numpy()
        if trained.config.target.remaining:
            found = found[:, -1]
        elif trained.config.target.per == "step":  # what is said of padding is not told
            found = trained.model(row[None], training=False).numpy()
        rows.append(found)
    answers = _answers(trained, np.concatenate(rows))
    return warmup_requests.Request("serving_default", {"values": values}, dict(answers))


def _stream(
    trained: trained_model.TrainedModel, values: np.ndarray
) -> list[warmup_requests.Request]:
    """Returns requests for a first chunk and a second."""
    stream = sequence_encoder.Stream(trained.model, trained.config.model)
    after = stream.initial_states(len(values))
    states = {name: np.zeros((len(values), 0), np.float32) for name in after}
    found = []
    for chunk in np.split(values, [10], axis=1):
        vectors, after = stream.advance(tf.constant(chunk), after)
        outputs = trained.model.get_layer("quantiles")(vectors).numpy()
        rows = {name: state.numpy() for name, state in streaming.packed(after).items()}
        answers = {**_answers(trained, outputs), **rows}
        found.append(warmup_requests.Request("stream", {"chunk": chunk, **states}, answers))
        states = rows
    return found
