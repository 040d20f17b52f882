"""Mixes the network's distribution over the next token with that of counted n-grams.

    p(w | text) = a p_network(w | text) + (1 - a) p_ngram(w | text)

The network generalises, the n-grams remember (`ngrams`). The share a is that of expectation
maximisation on the validation part (Jelinek and Mercer 1980), and longer n-grams are taken only
where both together then fit it noticeably better; the test part chooses nothing.

In a graph the n-grams that the text ends with are one more state of the network: float32 (batch,
order - 1), the number of the n-gram of 1, 2, … tokens, 0 at the start and -1 for one never seen.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.suite import errors
from apps.suite.runs import files
from apps.text_generation import ngrams

FILE = "ngrams.npz"
LAYER, STATE = "ngram_mixture", "state_ngrams"
_HIGHEST_ORDER = 9
_MOST_GRAMS = 2**22  # of one order: bounds an export, and a state holds whole numbers to 2**24
_GAIN_OF_AN_ORDER = 0.002  # of the validation part's nats; else longer n-grams only fill an export
_ROUNDS = 50  # of expectation maximisation
_LEAST_SHARE = 1e-6  # of either: what one of them rules out must not become impossible


class Mixture(NamedTuple):
    """Counted n-grams, and how much of a prediction is the network's.

    Attributes:
        model: the n-grams.
        share: a, from 0 to 1.
    """

    model: ngrams.Model
    share: float

    @property
    def told(self) -> str:
        """Returns a sentence's part that names the two and their shares."""
        return (
            f"a mixture of the network ({self.share:.0%}) with {self.model.order}-grams of the "
            f"training part ({1 - self.share:.0%}; weights from the validation part)"
        )

    @property
    def megabytes(self) -> float:
        """Returns the size of its tables in an export."""
        levels = self.model.levels
        # A key of 8 bytes and a value of 4 for each n-gram, 8 more where it is a context
        return sum(12 * len(each.keys) + 8 * len(each.backoffs) for each in levels) / 1e6

    def nats(self, tokens: np.ndarray, network: np.ndarray) -> np.ndarray:
        """Returns -ln p of every token but the first.

        Args:
            tokens: int [tokens].
            network: -ln p of the network, float [tokens - 1].
        """
        return _nats(self.share, network, ngrams.probabilities(self.model, tokens))

    def refitted(self, tokens: np.ndarray, network: np.ndarray) -> Mixture:
        """Returns it with the share that fits these tokens best; see `nats` for the arguments."""
        return self._replace(share=_share(network, ngrams.probabilities(self.model, tokens)))


def fit(
    train: np.ndarray,
    validation: np.ndarray,
    vocabulary_size: int,
    network: np.ndarray,
    highest_order: int = _HIGHEST_ORDER,
) -> tuple[Mixture, float]:
    """Learns the n-grams, and fits their order and the share of the network.

    Returns it with its nats per token of the validation part.

    Args:
        train: int [tokens], of the training part.
        validation: int [tokens], of the validation part.
        vocabulary_size: number of token ids.
        network: -ln p of the network for all tokens of the validation part but the first.
        highest_order: the longest n-grams that are tried.
    """
    best, least = None, np.inf
    for counted, (found,) in ngrams.learn(train, [validation], vocabulary_size, highest_order):
        if counted.order == 1:
            continue  # sees no context
        if best is not None and len(counted.levels[-1].keys) > _MOST_GRAMS:
            break
        share = _share(network, found)
        nats = float(_nats(share, network, found).mean())
        if nats < (1 - _GAIN_OF_AN_ORDER) * least:
            best, least = Mixture(counted, share), nats
    assert best is not None
    return best, least


def _nats(share: float, network: np.ndarray, counted: np.ndarray) -> np.ndarray:
    return -np.log(share * np.exp(-network.astype(np.float64)) + (1 - share) * counted)


def _share(network: np.ndarray, counted: np.ndarray) -> float:
    of_network = np.exp(-network.astype(np.float64))
    share = 0.5
    for _ in range(_ROUNDS):
        taken = share * of_network
        share = float((taken / (taken + (1 - share) * counted)).mean())
    return min(max(share, _LEAST_SHARE), 1 - _LEAST_SHARE)


def save(mixture: Mixture, run: Path) -> None:
    """Writes the file of a run folder; UserError where it cannot be written."""
    levels: dict[str, Any] = {
        f"{name}_{order}": values
        for order, level in enumerate(mixture.model.levels, 1)
        for name, values in (
            ("keys", level.keys),
            ("values", level.values.astype(np.float32)),
            ("backoffs", level.backoffs.astype(np.float32)),
        )
    }
    with files.replacing(run / FILE) as partial:
        np.savez_compressed(
            partial,
            order=mixture.model.order,
            share=mixture.share,
            strength=mixture.model.strength,
            vocabulary_size=mixture.model.vocabulary_size,
            **levels,
        )


def load(run: Path, vocabulary_size: int) -> Mixture | None:
    """Reads the file of a run folder; None without one, UserError for a damaged one."""
    file = run / FILE
    if not file.is_file():
        return None
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as read:
            levels = tuple(
                ngrams.Level(*(read[f"{name}_{order}"] for name in ngrams.Level._fields))
                for order in range(1, int(read["order"]) + 1)
            )
            size, share = int(read["vocabulary_size"]), float(read["share"])
            model = ngrams.Model(size, levels, float(read["strength"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise errors.UserError(
            f"{file}: cannot be read; write it anew with: "
            f"python -m apps.text_generation.mix --run {run}"
        ) from error
    if size != vocabulary_size:
        raise errors.UserError(
            f"{file}: knows {size} tokens, the run {vocabulary_size}; write it anew with: "
            f"python -m apps.text_generation.mix --run {run}"
        )
    return Mixture(model, share)


def mixed(streaming: keras.Model, mixture: Mixture) -> keras.Model:
    """Returns a model of [tokens, *states, n-grams] to [logits, *states, n-grams].

    Its logits are ln p of the mixture. It shares its layers with the network.

    Args:
        streaming: what `model.build_streaming` returns.
        mixture: learned on the same tokens, of order 2 at least.
    """
    layer = NgramMixture(mixture, name=LAYER)
    before = keras.Input((mixture.model.order - 1,), name=STATE)
    logits, *after = streaming.outputs
    mixed_logits, grams = layer([logits, streaming.inputs[0], before])
    return keras.Model(
        [*streaming.inputs, before], [mixed_logits, *after, grams], name="mixed_language_model"
    )


class NgramMixture(keras.layers.Layer):
    """Mixes logits with the n-grams that the text ends with.

    The n-grams of all orders are one tree in tables that are not trained: the empty context is
    node 0, those of order 1 follow, then those of order 2. What follows a context lies side by
    side. With v, b of the order n (`ngrams`), whose context is known,

        p_ngram(w | text) = sum over n of v_n(w) b_(n+1) b_(n+2) …  +  b_1 b_2 … / vocabulary size

    Args:
        mixture: the n-grams and the network's share.

    Call arguments:
        inputs: logits float32 (batch, time, vocabulary) of the next tokens; the tokens that were
            read, int32 (batch, time); the n-grams before them, float32 (batch, order - 1).

    Returns:
        ln p of the mixture, float32 (batch, time, vocabulary), and the n-grams after the last
        token.
    """

    def __init__(self, mixture: Mixture, **options: Any) -> None:
        super().__init__(trainable=False, dtype="float32", **options)
        levels, size = mixture.model.levels, mixture.model.vocabulary_size
        self._size, self._share = size, mixture.share
        counts = np.array([1, *(len(level.keys) for level in levels)])
        firsts = np.cumsum([0, *counts])  # the first node of each order
        keys = np.concatenate(
            [level.keys + firsts[order] * (size + 1) for order, level in enumerate(levels)]
        )
        contexts = np.arange(firsts[len(levels)] + 1)
        self._firsts, self._counts = firsts[1 : len(levels)], counts[1 : len(levels)]
        self._keys = self._table("keys", keys, "int64")
        self._values = self._table("values", np.concatenate([e.values for e in levels]), "float32")
        backoffs = np.concatenate([level.backoffs for level in levels])
        self._backoffs = self._table("backoffs", backoffs, "float32")
        # Of a context: the place of the first key that follows it
        starts = np.searchsorted(keys, contexts * (size + 1))
        self._starts = self._table("starts", starts, "int32")

    def _table(self, name: str, values: np.ndarray, dtype: str) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=values.shape,
            dtype=dtype,
            trainable=False,
            initializer=lambda shape, dtype=None: tf.constant(values, dtype),
        )

    def compute_output_shape(self, input_shape: list) -> list:
        """Returns the shapes of the logits and of the n-grams."""
        logits, _, grams = input_shape
        return [logits, grams]

    def call(self, inputs: list[tf.Tensor]) -> list[tf.Tensor]:
        logits, tokens, before = inputs
        tokens, given = tf.cast(tokens, tf.int64), self._nodes(before)
        contexts = tf.zeros_like(tokens)
        found = [contexts]
        for place in range(len(self._counts)):
            nodes = self._find(contexts, tokens)
            found.append(nodes)
            contexts = tf.concat([given[:, place : place + 1], nodes[:, :-1]], axis=1)
        nodes = tf.stack(found, axis=-1)
        return [self._mixed(logits, nodes), self._state(nodes[:, -1, 1:])]

    def step(
        self, logits: tf.Tensor, tokens: tf.Tensor, before: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Mixes one token of each row: logits (batch, vocabulary) after tokens (batch,)."""
        root = tf.zeros_like(tokens, tf.int64)[:, None]
        contexts = tf.concat([root, self._nodes(before)[:, :-1]], axis=1)
        found = self._find(contexts, tf.cast(tokens, tf.int64)[:, None])
        nodes = tf.concat([root, found], axis=1)
        return self._mixed(logits, nodes), self._state(found)

    def _nodes(self, state: tf.Tensor) -> tf.Tensor:
        """Returns nodes int64 (batch, order - 1); what no text leads to counts as never seen."""
        numbers = tf.cast(state, tf.int64)
        known = (numbers >= 0) & (numbers < self._counts)
        return tf.where(known, numbers + self._firsts, ngrams.ABSENT)

    def _state(self, nodes: tf.Tensor) -> tf.Tensor:
        numbers = tf.where(nodes < 0, np.int64(ngrams.ABSENT), nodes - self._firsts)
        return tf.cast(numbers, tf.float32)

    def _find(self, contexts: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
        """Returns the nodes of tokens after contexts, `ABSENT` where there is none."""
        wanted = contexts * (self._size + 1) + tokens + 1  # negative after an absent context
        keys = _whole(self._keys)
        places = tf.searchsorted(keys, tf.reshape(wanted, [-1]), out_type=tf.int64)
        places = tf.minimum(tf.reshape(places, tf.shape(wanted)), self._keys.shape[0] - 1)
        found = tf.gather(keys, places) == wanted
        return tf.where(found, places + 1, ngrams.ABSENT)

    def _mixed(self, logits: tf.Tensor, nodes: tf.Tensor) -> tf.Tensor:
        """Returns ln p (…, vocabulary), given the contexts of all orders, int64 (…, order)."""
        orders = len(self._counts) + 1
        contexts = tf.reshape(nodes, [-1, orders])
        known, places = contexts >= 0, tf.maximum(contexts, 0)
        backoffs = tf.where(known, tf.gather(_whole(self._backoffs), places), 1.0)
        factors = tf.math.cumprod(backoffs, axis=1, exclusive=True, reverse=True)
        first = tf.reshape(tf.gather(_whole(self._starts), places), [-1])
        end = tf.reshape(tf.gather(_whole(self._starts), places + 1), [-1])
        following = tf.ragged.range(first, tf.where(tf.reshape(known, [-1]), end, first))
        owners, at = following.value_rowids(), following.values
        # The start of the text also follows itself: with a value of 0
        tokens = tf.maximum(tf.gather(_whole(self._keys), at) % (self._size + 1) - 1, 0)
        values = tf.gather(_whole(self._values), at) * tf.gather(tf.reshape(factors, [-1]), owners)
        count = tf.shape(contexts, tf.int64)[0]
        sums = tf.math.unsorted_segment_sum(
            values, tf.cast(owners, tf.int64) // orders * self._size + tokens, count * self._size
        )
        uniform = factors[:, :1] * backoffs[:, :1] / self._size
        counted = tf.reshape(sums, [-1, self._size]) + uniform
        network = tf.nn.softmax(tf.cast(logits, tf.float32))
        counted = tf.reshape(counted, tf.shape(network))
        return tf.math.log(self._share * network + (1.0 - self._share) * counted)


def _whole(table: keras.Variable) -> tf.Tensor:
    """Returns a table as a tensor, which costs nothing.

    A gather from the variable itself would have every later reading of it make a copy.
    """
    return tf.convert_to_tensor(table.value)
