"""Writes texts for source texts by a beam search, and scores texts that are given.

The same within bounds, for a server.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.suite.data import pair_sets
from apps.suite.export import onnx_file
from apps.suite.networks import beam_search, encoder_decoder
from apps.suite.sequences import batches, pair_batches
from apps.suite.serving import limits
from apps.suite.texts import subwords

ROWS = 64
_JUDGED = 400  # validation sources that are answered at a checkpoint
_MORE = 8  # tokens that a short answer may be longer than the ratio says
_MOST_ANSWERED = 4  # times as many pieces as a source may have, in an answer that is scored
_FORBIDDEN = (subwords.PADDING, subwords.START)


def longest(lengths: tf.Tensor, ratio: float) -> tf.Tensor:
    """Returns the most tokens int32 (b,) of answers to sources with int32 (b,) tokens."""
    scaled = tf.math.ceil(ratio * tf.cast(lengths, tf.float32))
    return tf.cast(scaled, tf.int32) + _MORE


def found(
    network: keras.Model,
    source: tf.Tensor,
    ratio: float,
    width: int | tf.Tensor,
    penalty: float | tf.Tensor,
) -> beam_search.Found:
    """Searches answers to sources int32 (b, s), which end with END, 0 after that."""
    decoder = encoder_decoder.Decoder(network)
    memory = decoder.read(source)
    lengths = tf.math.count_nonzero(source, axis=1, dtype=tf.int32)
    return beam_search.search(
        decoder.step(memory),
        memory.states,
        start=subwords.START,
        end=subwords.END,
        width=width,
        longest=longest(lengths, ratio),
        length_penalty=penalty,
        forbidden=_FORBIDDEN,
    )


class Scored(NamedTuple):
    """Scores of given texts.

    Attributes:
        nats: float32 (b, t), -ln p of each token given those before it, 0 after the end.
        attention: float32 (b, t, s), the share of each source token when a token is written.
    """

    nats: tf.Tensor
    attention: tf.Tensor


def outputs(network: keras.Model, source: tf.Tensor, following: tf.Tensor) -> dict[str, Any]:
    """Returns what a network says of targets int32 (b, t), which end with END, by one call."""
    shifted = tf.where(following == subwords.END, subwords.PADDING, following)[:, :-1]
    target = tf.pad(shifted, [[0, 0], [1, 0]], constant_values=subwords.START)
    return network({"source": source, "target": target}, training=False)


def scored(network: keras.Model, source: tf.Tensor, following: tf.Tensor) -> Scored:
    """Scores targets int32 (b, t), which end with END, for sources int32 (b, s)."""
    said = outputs(network, source, following)
    nats = -encoder_decoder.log_likelihood(said, source, following)
    return Scored(nats, tf.cast(said["attention"], tf.float32))


def onnx_network(network: keras.Model, source_size: int, target_size: int) -> onnx_file.Network:
    """Maps `source` int32 (b, s) and `target` int32 (b, t) to `logits` float32 (b, t, tokens).

    The target begins with its start token, as in training; a search asks for one token more at a
    time. Copying is left out.
    """
    found: Any = network.output
    model = keras.Model(network.inputs, found["logits"])
    draw = np.random.default_rng(0)
    examples = []
    for rows, steps, time_steps in ((1, 1, 1), (1, 9, 6), (3, 12, 8)):
        source = draw.integers(1, source_size, (rows, steps), np.int32)
        target = draw.integers(1, target_size, (rows, time_steps), np.int32)
        if rows > 1:
            source[1, 4:], target[1, 4:] = 0, 0
        examples.append({"source": source, "target": target})
    return onnx_file.Network(model, "logits", examples)


class Answers(NamedTuple):
    """Answers to texts in their order, their scores and ln p, float32 [texts] each."""

    texts: list[str]
    scores: np.ndarray
    log_probabilities: np.ndarray
    texts_a_second: float


class Writer:
    """Answers texts by one graph for all sizes.

    Args:
        network: of `model.build`.
        source, target: the pieces of both sides.
        ratio: of the longest answer to its source.
    """

    def __init__(
        self,
        network: keras.Model,
        source: subwords.Subwords,
        target: subwords.Subwords,
        ratio: float,
    ) -> None:
        self._source = source

        def answer(ids: tf.Tensor, width: tf.Tensor, penalty: tf.Tensor) -> tuple[tf.Tensor, ...]:
            best = found(network, ids, ratio, width, penalty)
            text = target.decode(best.tokens[:, 0])
            return text, best.scores[:, 0], best.log_probabilities[:, 0]

        self._answer = tf.function(
            answer,
            autograph=False,
            input_signature=[
                tf.TensorSpec([None, None], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.float32),
            ],
        )

    def __call__(self, texts: Sequence[str], width: int, penalty: float) -> Answers:
        """Answers texts, those of about equal length together."""
        began = time.perf_counter()
        ids = pair_batches.with_end(tf.constant(list(texts)), self._source)
        lengths = ids.row_lengths().numpy()
        answers: list[str] = [""] * len(texts)
        numbers = np.zeros((2, len(texts)), np.float32)
        for chosen in batches.in_order(lengths, ROWS):
            rows = tf.gather(ids, chosen).to_tensor()
            written, *values = self._answer(rows, width, penalty)
            for index, text in zip(chosen, written.numpy(), strict=True):
                answers[index] = text.decode()
            numbers[:, chosen] = values
        per_second = len(texts) / (time.perf_counter() - began)
        return Answers(answers, numbers[0], numbers[1], per_second)


class MeanNats:
    """Measures the mean nats of a token of encoded pairs, as often as it is called.

    Args:
        network: whose weights change between the calls.
        encoded: pairs.
    """

    def __init__(self, network: keras.Model, encoded: pair_batches.Encoded) -> None:
        self._encoded = encoded
        spec = tf.TensorSpec([None, None], tf.int32)
        self._nats = tf.function(
            lambda source, following: tf.reduce_sum(scored(network, source, following).nats),
            autograph=False,
            input_signature=[spec, spec],
        )

    def __call__(self) -> dict[str, float]:
        """Returns it as `loss`."""
        nats = 0.0
        source, target = self._encoded.lengths
        for chosen in batches.in_order(source + target, ROWS):
            given, _, following = pair_batches.padded(self._encoded, chosen)
            nats += float(self._nats(given, following))
        return {"loss": nats / max(1, len(self._encoded.targets))}


class Validation:
    """Judges a network on validation pairs, as often as it is called, by two graphs.

    Args:
        network: whose weights change between the calls.
        writer: of the same network.
        questions: of which some, evenly spread, are answered without a beam.
        encoded: pairs, of which all are scored.
        judge: returns measures of answers to questions, by name.
    """

    def __init__(
        self,
        network: keras.Model,
        writer: Writer,
        questions: Sequence[pair_sets.Question],
        encoded: pair_batches.Encoded,
        judge: Callable[[Sequence[str], Sequence[pair_sets.Question]], dict[str, float]],
    ) -> None:
        self._writer, self._judge = writer, judge
        self._nats = MeanNats(network, encoded)
        self._questions = questions[:: max(1, len(questions) // _JUDGED)][:_JUDGED]

    def __call__(self) -> dict[str, float]:
        """Returns the mean nats of a token as `loss`, and what `judge` says."""
        answers = self._writer([each.source for each in self._questions], 1, 0.0)
        return {**self._nats(), **self._judge(answers.texts, self._questions)}


LIMITS = {
    "text_bytes": 2**13,
    "rows_times_bytes": 2**20,  # of the longest text
    "rows_times_width_times_vocabulary": 2**24,
    "rows_times_width_times_tokens": 2**21,  # of the longest answer
    "rows_times_tokens_times_pieces": 2**23,  # of the longest texts on both sides
    "rows_times_tokens_times_vocabulary": 2**24,
    "length_penalty": 10,
}
"""Bounds of a request, which the graph holds."""


class Bounded:
    """Answers and scores texts string[b] in a graph, after checks of what that takes.

    Each part is one graph, traced at its first call, however many signatures call it.

    Args:
        network, source, target: see `Writer`.
        ratio: of the longest answer to its source.
        most_pieces: of a text.
    """

    def __init__(
        self,
        network: keras.Model,
        source: subwords.Subwords,
        target: subwords.Subwords,
        *,
        ratio: float,
        most_pieces: int,
    ) -> None:
        self._network, self._source, self._target = network, source, target
        self._ratio, self._most = ratio, most_pieces
        text, ids = tf.TensorSpec([None], tf.string), tf.TensorSpec([None, None], tf.int32)
        width, penalty = tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)
        self._read = tf.function(self._ids_of_source, autograph=False, input_signature=[text])
        self._search = tf.function(
            self._searched, autograph=False, input_signature=[ids, width, penalty]
        )
        self._score = tf.function(
            functools.partial(scored, network), autograph=False, input_signature=[ids, ids]
        )

    def found(
        self, text: tf.Tensor, width: tf.Tensor, penalty: tf.Tensor, name: str
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns answers string (b, width) and scores float32 (b, width), the best first.

        The answers to an empty text are empty, with the score 0, and so are those that a row has
        less than others.

        Args:
            text: string (b,).
            width: int32 scalar, a request's input `name`.
            penalty: float32 scalar, a request's input `length_penalty`.
            name: of the width, for errors.
        """
        penalty = limits.finite(penalty, "length_penalty")
        holds = (penalty >= 0.0) & (penalty <= float(LIMITS["length_penalty"]))
        told = f"length_penalty: has to be from 0 to {LIMITS['length_penalty']}, is"
        penalty = limits.checked(penalty, holds, told, penalty)
        holds = (width >= 1) & (width <= beam_search.LARGEST_WIDTH)
        told = f"{name}: has to be from 1 to {beam_search.LARGEST_WIDTH}, is"
        width = limits.checked(width, holds, told, width)
        texts, scores = self._search(self._read(text), width, penalty)
        asked = tf.shape(text)[0]
        return texts[:asked], scores[:asked]

    def scored(
        self, text: tf.Tensor, answer: tf.Tensor, name: str
    ) -> tuple[tf.Tensor, tf.Tensor, Scored]:
        """Returns ids of both sides, of one row at least, and what the network says of them."""
        same = tf.shape(text)[0] == tf.shape(answer)[0]
        answer = limits.checked(answer, same, f"{name}: has to have as many rows as text")
        source = self._read(text)
        # What the search writes may have more pieces than its source
        following = self._ids(answer, self._target, name, _MOST_ANSWERED * self._most)
        rows, steps = tf.unstack(tf.shape(source))
        tokens = tf.shape(following)[1]
        source = _within(source, "rows_times_tokens_times_pieces", rows, tokens, steps)
        source = _within(
            source, "rows_times_tokens_times_vocabulary", rows, tokens, self._target.size
        )
        return source, following, self._score(source, following)

    def _searched(
        self, source: tf.Tensor, width: tf.Tensor, penalty: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns answers string (b, width) and their scores float32 (b, width); see `found`."""
        rows, steps = tf.unstack(tf.shape(source))
        tokens = longest(steps, self._ratio)
        source = _within(
            source, "rows_times_width_times_vocabulary", rows, width, self._target.size
        )
        source = _within(source, "rows_times_width_times_tokens", rows, width, tokens)
        best = found(self._network, source, self._ratio, width, penalty)
        flat = tf.reshape(best.tokens, [rows * width, tf.shape(best.tokens)[2]])
        texts = tf.reshape(self._target.decode(flat), [rows, width])
        # An empty text is END alone
        is_one = (source[:, :1] != subwords.END) & tf.math.is_finite(best.scores)
        return tf.where(is_one, texts, ""), tf.where(is_one, best.scores, 0.0)

    def _ids_of_source(self, text: tf.Tensor) -> tf.Tensor:
        return self._ids(text, self._source, "text", self._most)

    def _ids(
        self, text: tf.Tensor, vocabulary: subwords.Subwords, name: str, most: int
    ) -> tf.Tensor:
        """Encodes texts, one at least, as ids int32 (b, t) with END, after checks of their size."""
        text = limits.texts(
            text,
            name,
            longest_bytes=LIMITS["text_bytes"],
            rows_times_longest=LIMITS["rows_times_bytes"],
        )
        ids = pair_batches.with_end(text, vocabulary).to_tensor()
        told = f"{name}: pieces of the longest one"
        return limits.at_most(ids, [tf.shape(ids)[1] - 1], most, told)


def _within(tensor: tf.Tensor, limit: str, *factors: tf.Tensor | int) -> tf.Tensor:
    """Returns a tensor after a check that a product is within one of the limits."""
    return limits.at_most(tensor, factors, LIMITS[limit], limit.replace("_", " "))
