"""Serves a network of sequences or texts: whole inputs, streams, and requests that show both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from apps.suite.export import assets, onnx_file, saved_model
from apps.suite.networks import sequence_encoder, streaming
from apps.suite.sequence_answers import scorer as scorers
from apps.suite.sequences import members
from apps.suite.serving import limits, signatures, warmup_requests
from apps.suite.texts import words

LIMITS = {"rows_times_steps": 2**20, "numbers": 2**24, "rows_times_bytes_of_text": 2**22}
"""Bounds of a request, which the graph holds; they stand in settings.json as well."""

_EXAMPLE_STEPS, _FIRST_CHUNK = 23, 10

Answer = Callable[[tf.Tensor], dict[str, tf.Tensor]]
"""Makes the named answers of a network's outputs (batch, …)."""


def described(
    answer: Mapping[str, str], of_stream: Mapping[str, str]
) -> tuple[dict[str, signatures.Signature], dict[str, signatures.Signature]]:
    """Returns the tables of signatures of a model of numbers, and of a model of texts.

    Values are NaN after the end of a sequence and where missing; the states of a stream begin as
    [b, 0].

    Args:
        answer: types of the outputs of `serving_default`.
        of_stream: those of `stream`, without the states.
    """
    states = {signatures.STATES: "float32[b, numbers]"}
    numbers = {
        "serving_default": signatures.Signature({"values": "float32[b, time, channels]"}, answer),
        "stream": signatures.Signature(
            {"chunk": "float32[b, steps, channels]", **states},
            {**of_stream, **states},
            optional=True,  # only of a model that needs no later step
        ),
        "assets": signatures.ASSETS,
    }
    texts = {
        "serving_default": signatures.Signature({"text": "string[b]"}, answer),
        "assets": signatures.ASSETS,
    }
    return numbers, texts


class Trained(Protocol):
    """The part of a trained model that is served.

    Attributes:
        model: as Keras runs it; begins with `sequence_encoder.encode`, or reads texts.
        vocabulary: of texts; None for a network of numbers.
        channel_names: none for texts.
        stream: reads chunks; None for a network that needs later steps.
    """

    @property
    def model(self) -> keras.Model: ...
    @property
    def vocabulary(self) -> words.Vocabulary | None: ...
    @property
    def channel_names(self) -> Sequence[str]: ...
    @property
    def stream(self) -> sequence_encoder.Stream | members.Stream | None: ...


class ServedSequences:
    """Serves a trained model of sequences or texts.

    Args:
        trained: the model.
        scorer: computes the outputs of values (b, time, channels) or texts string[b].
        head: name of the layer that makes the network's outputs.
        answer: makes the answers of outputs.
        step_answer: makes the answers of a stream's outputs; `answer` if it is not given.
        settings: the asset settings.json; names of states and limits are added.

    Attributes:
        trained, head: as given.
        saved: what has to be saved for the signatures.
        settings: what clients need beside the signatures.
    """

    def __init__(
        self,
        trained: Trained,
        *,
        scorer: scorers.Scorer,
        head: str,
        answer: Answer,
        step_answer: Answer | None = None,
        settings: Mapping[str, Any],
    ) -> None:
        self.trained = trained
        self._channels, self._stream = len(trained.channel_names), trained.stream
        self._scorer, self.head = scorer, head
        self._of_vectors = members.step_outputs(trained.model, head)
        self._answer, self._step_answer = answer, step_answer or answer
        self.saved = tf.Module(name="served_sequences")
        self.saved.weights = [weight.value for weight in trained.model.weights]
        self.saved.vocabulary = trained.vocabulary
        states = list(self._stream.initial_states(1)) if self._stream else []
        channels = list(trained.channel_names)
        self.settings = {
            "channel_names": channels, **settings, "states": states, "limits": LIMITS
        }  # fmt: skip
        self.assets = assets.Assets({assets.SETTINGS: json.dumps(self.settings, indent=2) + "\n"})
        self.saved.assets = self.assets.saved

    def signatures(self) -> dict[str, Any]:
        """Returns a traced or traceable function by the name of its signature."""
        answer: Answer = self.texts
        given = tf.TensorSpec([None], tf.string, "text")
        if self._channels:
            answer = self.sequences
            given = tf.TensorSpec([None, None, self._channels], tf.float32, "values")
        found = {
            "serving_default": tf.function(answer, autograph=False, input_signature=[given]),
            "assets": self.assets.signature(),
        }
        if self._stream is not None:
            states = {
                name: tf.TensorSpec([None, None], tf.float32, name)
                for name in self.settings["states"]
            }
            chunk = tf.TensorSpec([None, None, self._channels], tf.float32, "chunk")
            found["stream"] = tf.function(self.stream, autograph=False).get_concrete_function(
                chunk=chunk, **states
            )
        return found

    def export(self, task: str, destination: Path) -> Path:
        """Writes the next version of a task's export; returns it: see `saved_model.export`."""
        return saved_model.export(task, self.trained.model, self, self.requests, destination)

    def onnx_network(self) -> onnx_file.Network:
        """Maps `values`, or `words` and `letters`, to the output of the network, by its name.

        The requests to `serving_default` become examples for the check.
        """
        asked = [each for each in self.requests() if each.signature == "serving_default"]
        found = [dict(each.inputs) for each in asked]
        known = self.trained.vocabulary
        if known is not None:
            of_texts = [known.inputs(tf.constant(inputs["text"])) for inputs in found]
            found = [{name: each.numpy() for name, each in inputs.items()} for inputs in of_texts]
        return onnx_file.Network(self.trained.model, self.head, found)

    def sequences(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default` of a network of numbers."""
        rows = tf.shape(values)[0]
        known = tf.reduce_any(~tf.math.is_nan(values), axis=[1, 2])
        values = limits.checked(
            self._checked(values, "values"),
            tf.reduce_all(known),
            "values: a sequence without any value; leave it out",
        )
        return self._answer(self._scorer.of_batch(_one_row(values))[:rows])

    def texts(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default` of a network of texts."""
        rows = tf.shape(text)[0]
        longest = tf.reduce_max(tf.concat([[0], tf.strings.length(text)], axis=0))
        text = limits.at_most(
            text,
            [rows, longest],
            LIMITS["rows_times_bytes_of_text"],
            "text: rows times bytes of the longest one",
        )
        missing = tf.cast(rows == 0, tf.int32)
        padded = tf.concat([text, tf.fill([missing], "")], axis=0)
        return self._answer(self._scorer.of_batch(padded)[:rows])

    def stream(self, chunk: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `stream`: the answers after each step of the chunk."""
        assert self._stream is not None
        rows = tf.shape(chunk)[0]
        chunk = _one_row(self._checked(chunk, "chunk"))
        given = {name: _one_row(limits.finite(state, name)) for name, state in states.items()}
        first = self._stream.initial_states(tf.shape(chunk)[0])
        vectors, after = self._stream.advance(chunk, streaming.unpacked(given, first))
        return {
            **self._step_answer(self._step_outputs(vectors)[:rows]),
            **{name: state[:rows] for name, state in streaming.packed(after).items()},
        }

    def _step_outputs(self, vectors: tf.Tensor) -> tf.Tensor:
        return self._scorer.activation(self._of_vectors(vectors))

    def requests(self) -> list[warmup_requests.Request]:
        """Returns requests of one and of several sequences or texts, with the answers of Keras.

        Keras runs the network operation by operation. Each signature has at least one request.
        """
        vocabulary = self.trained.vocabulary
        if vocabulary is not None:
            texts = ["one two three", "", "What is this? It is a text.", *vocabulary.words[:2]]
            return [*map(self._texts_request, (texts[:1], texts)), assets.request()]
        drawn = _drawn(self.trained.model)
        found = [*map(self._sequences_request, (drawn[:1, :9], drawn))]
        if self._stream is not None:
            found += [*self._stream_requests(drawn[:1]), *self._stream_requests(drawn)]
        return [*found, assets.request()]

    def _texts_request(self, texts: list[str]) -> warmup_requests.Request:
        assert self.trained.vocabulary is not None
        outputs = self._scorer.of_inputs(self.trained.vocabulary.inputs(tf.constant(texts)))
        given = np.array([text.encode() for text in texts], object)
        answers = _arrays(self._answer(outputs))
        return warmup_requests.Request("serving_default", {"text": given}, answers)

    def _sequences_request(self, values: np.ndarray) -> warmup_requests.Request:
        """Asks for a row at a time; without padding, where that has no answers of its own."""
        lengths = np.isfinite(values).any(axis=2).sum(axis=1)
        kept = [None if self._scorer.by_step else length for length in lengths]
        rows = [
            self._scorer.of_inputs(tf.constant(row[None, :steps]))
            for row, steps in zip(values, kept, strict=True)
        ]
        answers = _arrays(self._answer(tf.concat(rows, axis=0)))
        return warmup_requests.Request("serving_default", {"values": values}, answers)

    def _stream_requests(self, values: np.ndarray) -> Iterator[warmup_requests.Request]:
        """Yields requests for a first chunk and a second."""
        assert self._stream is not None
        after = self._stream.initial_states(len(values))
        states = {name: np.zeros((len(values), 0), np.float32) for name in after}
        for chunk in np.split(values, [_FIRST_CHUNK], axis=1):
            vectors, after = self._stream.advance(tf.constant(chunk), after)
            packed = _arrays(streaming.packed(after))
            answers = {**_arrays(self._step_answer(self._step_outputs(vectors))), **packed}
            yield warmup_requests.Request("stream", {"chunk": chunk, **states}, answers)
            states = packed

    def _checked(self, values: tf.Tensor, name: str) -> tf.Tensor:
        """Returns values after checks of their number, and that none is infinite."""
        rows, steps, channels = tf.unstack(tf.shape(values))
        told = f"{name}: rows times steps"
        needed = f"{name}: the model reads {self._channels} channels; here are"
        values = limits.checked(values, channels == self._channels, needed, channels)
        values = limits.at_most(values, [rows, steps], LIMITS["rows_times_steps"], told)
        told = f"{name}: how many numbers"
        values = limits.at_most(values, [rows, steps, channels], LIMITS["numbers"], told)
        values = limits.checked(values, steps > 0, f"{name}: no steps; give at least one")
        return limits.checked(
            values,
            tf.reduce_all(~tf.math.is_inf(values)),
            f"{name}: one is infinite, or beyond float32; a missing value is NaN",
        )


def _one_row(values: tf.Tensor) -> tf.Tensor:
    """Returns the rows, or one row of zeros: fused convolutions refuse an empty batch."""
    added = tf.cast(tf.shape(values)[0] == 0, tf.int32)
    return tf.pad(values, [[0, added], *([0, 0] for _ in values.shape[1:])])


def _arrays(tensors: Mapping[str, tf.Tensor]) -> dict[str, np.ndarray]:
    return {name: each.numpy() for name, each in tensors.items()}


def _drawn(network: keras.Model) -> np.ndarray:
    """Returns three sequences of the training's level and spread, two of them shorter."""
    layer = members.of(network)[0].get_layer("sequence_inputs")
    channels = network.inputs[0].shape[-1]
    mean = np.array(layer.mean or [0.0] * channels)
    deviation = np.array(layer.deviation or [1.0] * channels)
    normal = np.random.default_rng(0).normal(size=(3, _EXAMPLE_STEPS, channels))
    drawn = (mean + deviation * normal).astype(np.float32)
    drawn[1, 14:] = drawn[2, 20:] = np.nan
    drawn[0, 3, 0] = np.nan
    return drawn


def example_body(channel_names: Sequence[str]) -> str:
    """Returns the JSON of a request by columns: two steps of zeros, or a text."""
    step = [0.0] * len(channel_names)
    return json.dumps({"inputs": {"values": [[step, step]]} if step else {"text": ["some words"]}})


def tell(version: Path, answer: str, example: str = "") -> None:
    """Prints how an export of sequences or texts is asked.

    Args:
        version: folder of the export.
        answer: what a server returns, such as "a label".
        example: arguments of `predict`.
    """
    settings = json.loads((version / "assets" / assets.SETTINGS).read_text("utf-8"))
    saved_model.tell(version, answer, example_body(settings["channel_names"]), example)
