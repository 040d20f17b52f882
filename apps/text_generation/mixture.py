"""Mixes the network's distribution over the next token with that of counted n-grams.

    p(w | text) = a p_network(w | text) + (1 - a) p_ngram(w | text)

The network generalises, the n-grams remember (`ngrams`). The share a is that of expectation
maximisation on the validation part (Jelinek and Mercer 1980), the order is the one that then fits
it best; the test part chooses nothing.

In a graph the n-grams that the text ends with are one more state of the network: float32 (batch,
order - 1), the number of the n-gram of 1, 2, … tokens, 0 at the start and -1 for one never seen.
"""

from __future__ import annotations

import zipfile
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
        # A key of 8 bytes and a value of 4 for each n-gram, 4 more where it is a context
        return sum(12 * len(each.keys) + 4 * len(each.backoffs) for each in levels) / 1e6

    def nats(self, tokens: np.ndarray, network: np.ndarray) -> np.ndarray:
        """Returns -ln p of every token but the first.

        Args:
            tokens: int [tokens].
            network: -ln p of the network, float [tokens - 1].
        """
        return _nats(self.share, network, ngrams.probabilities(self.model, tokens))


def fit(
    train: np.ndarray,
    validation: np.ndarray,
    vocabulary_size: int,
    network: np.ndarray,
    highest_order: int = _HIGHEST_ORDER,
) -> Mixture:
    """Learns the n-grams, and fits the weights.

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
        if nats < least:
            best, least = Mixture(counted, share), nats
    assert best is not None
    return best


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
    levels = {
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
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
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

    The tables are weights that are not trained. A context is found by a binary search for its key,
    and what follows it lies side by side.

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
        self._size = mixture.model.vocabulary_size
        self._tables = [
            tuple(
                self._table(f"{name}_{order}", getattr(level, name), kind)
                for name, kind in (
                    ("keys", "int64"),
                    ("values", "float32"),
                    ("backoffs", "float32"),
                )
            )
            for order, level in enumerate(mixture.model.levels, 1)
        ]
        self._share = mixture.share

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
        tokens = tf.cast(tokens, tf.int64)
        contexts = tf.zeros_like(tokens)
        found = [contexts]
        for place, (keys, _, _) in enumerate(self._tables[:-1]):
            count = keys.shape[0]
            grams = self._find(keys.value, self._key(contexts, tokens))
            found.append(grams)
            given = tf.cast(before[:, place : place + 1], tf.int64)
            given = tf.where((given >= 0) & (given < count), given, ngrams.ABSENT)
            contexts = tf.concat([given, grams[:, :-1]], axis=1)
        rows = tf.stack([tf.size(tokens), self._size])
        counted = self._probabilities(rows, [tf.reshape(grams, [-1]) for grams in found])
        network = tf.nn.softmax(tf.cast(logits, tf.float32))
        counted = tf.reshape(counted, tf.shape(network))
        mixed = self._share * network + (1.0 - self._share) * counted
        after = tf.stack([grams[:, -1] for grams in found[1:]], axis=1)
        return [tf.math.log(mixed), tf.cast(after, tf.float32)]

    def step(
        self, logits: tf.Tensor, tokens: tf.Tensor, before: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Mixes one token of each row: logits (batch, vocabulary) after tokens (batch,)."""
        mixed, after = self.call([logits[:, None], tokens[:, None], before])
        return mixed[:, 0], after

    def _key(self, contexts: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
        return contexts * (self._size + 1) + tokens + 1

    def _find(self, keys: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        """Returns the place of each wanted key, `ABSENT` where it is not there."""
        places = tf.searchsorted(keys, tf.reshape(wanted, [-1]), out_type=tf.int64)
        places = tf.reshape(places, tf.shape(wanted))
        clipped = tf.minimum(places, keys.shape[0] - 1)
        return tf.where(tf.gather(keys, clipped) == wanted, clipped, ngrams.ABSENT)

    def _probabilities(self, shape: tf.Tensor, found: list[tf.Tensor]) -> tf.Tensor:
        """Returns p of each token after the contexts, float32 [contexts, vocabulary].

        Args:
            shape: of the result.
            found: the contexts of 0, 1, … tokens, int64 [contexts].
        """
        p = tf.fill(shape, 1.0 / self._size)
        for contexts, (keys, values, backoffs) in zip(found, self._tables, strict=True):
            # An absent context ends where it begins, and takes all from the order below.
            first = tf.searchsorted(keys.value, self._key(contexts, 0), out_type=tf.int64)
            end = tf.searchsorted(keys.value, self._key(contexts + 1, -1), out_type=tf.int64)
            places = tf.ragged.range(first, tf.where(contexts < 0, first, end))
            rows, places = places.value_rowids(), places.values
            tokens = tf.gather(keys.value, places) - self._key(tf.gather(contexts, rows), 0)
            lower = tf.gather(backoffs.value, tf.maximum(contexts, 0))
            p *= tf.where(contexts < 0, 1.0, lower)[:, None]
            p = tf.tensor_scatter_nd_add(
                p, tf.stack([rows, tokens], axis=1), tf.gather(values.value, places)
            )
        return p
