"""Encodes texts, word by word: a vector of each word from its number and from its letters.

    e_t = E[word_t]                                 words that training has seen often enough
    c_t = max_k relu(Σ_j W_j L[letter_{t,k+j}])     filters over the letters of a word, or
    c_t = [LSTM(L[letter_t]), LSTM(reversed)]       the last states of an LSTM in both directions
    y = sequence encoder([e, c])                    see `sequence_encoder`
    y = [y, Σ_g B[hash(g)] / √n]                    bag of n words, pairs and pieces g, if asked for

Training reads a share of the words as unknown (`WordDropout`), so that the network learns what the
letters of an unknown word tell.

Sources: filters as in Ma and Hovy, "End-to-end sequence labeling via bi-directional LSTM-CNNs-CRF",
2016; states as in Lample et al., "Neural architectures for named entity recognition", 2016.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

import lstm_layers
from apps.suite import errors
from apps.suite.networks import sequence_encoder
from apps.suite.networks.config import EncoderConfig
from apps.suite.networks.pooling import NOTHING
from apps.suite.texts import text_files
from apps.suite.texts import words as vocabularies
from apps.suite.texts.config import BagTextConfig, TextConfig

_KERNEL_LETTERS = 3
_PIECES = (2, 3, 4, 5)  # letters of a piece in `BagOfPieces`
_FACTOR, _PRIME = 7_919, 262_139


def encode(
    words: Any,
    letters: Any,
    text: BagTextConfig,
    config: EncoderConfig,
    *,
    word_count: int,
    letter_count: int,
    seed: int = 0,
) -> Any:
    """Adds the encoder of texts to a functional model.

    Args:
        words: a Keras input of word ids, int32 (batch, time), 0 after the end.
        letters: a Keras input of letter ids, int32 (batch, time, letters), likewise.
        text, config: kinds and sizes.
        word_count, letter_count: number of ids, of `words.Vocabulary`.
        seed: of the words that training reads as unknown.

    Returns:
        Vectors float32 (batch, width).
    """
    vectors, counted = embed(
        words, letters, text, word_count=word_count, letter_count=letter_count, seed=seed
    )
    encoded = sequence_encoder.encode_vectors(vectors, counted, config, per_step=False)
    if not text.bag_units:
        return encoded
    bag = BagOfPieces(text.bag_size, text.bag_units, text.bag_dropout, seed=seed, name="bag")
    return keras.layers.Concatenate(name="with_bag")([encoded, bag(words, letters)])


def embed(
    words: Any,
    letters: Any,
    text: TextConfig,
    *,
    word_count: int,
    letter_count: int,
    seed: int = 0,
) -> tuple[Any, Any]:
    """Adds the vectors of words to a functional model.

    Args:
        words, letters, text, word_count, letter_count, seed: see `encode`.

    Returns:
        Vectors float32 (batch, time, features), and bool (batch, time), True at words.
    """
    counted = ops.not_equal(words, 0)
    shown = WordDropout(text.word_dropout, seed=seed, name="word_dropout")(words)
    vectors = keras.layers.Embedding(word_count, text.word_units, name="word_embedding")(shown)
    if text.character_units:
        convolved = text.character_layer == "convolution"
        kind, name = (LetterFilters, "letter_filters") if convolved else (LetterLSTM, "letter_lstm")
        sizes = letter_count, text.character_units, text.character_filters
        read = kind(*sizes, name=name)(letters)
        vectors = keras.layers.Concatenate(name="word_vectors")([vectors, read])
    return vectors, counted


def begin_with(layer: Any, file: Path, vocabulary: vocabularies.Vocabulary) -> None:
    """Puts the vectors of a file in GloVe's or fastText's text format into an embedding.

    Prints how many words of the vocabulary have one there; the others keep theirs.

    Raises:
        UserError: lines of another number of numbers, or a vector of no known word.
    """
    number = {word: 2 + at for at, word in enumerate(vocabulary.words)}
    table = np.array(layer.embeddings)
    found = 0
    for line, text in enumerate(text_files.read(file).split("\n"), 1):
        word, *values = text.rstrip().split(" ")
        if (line == 1 and len(values) == 1) or not word:
            continue  # fastText begins with the numbers of words and of dimensions
        if len(values) != table.shape[1]:
            raise errors.UserError(
                f"{file}:{line}: holds {len(values)} numbers, and --text.word_units is "
                f"{table.shape[1]}"
            )
        key = word.lower() if vocabulary.lowercase else word
        if key in number:
            try:
                table[number[key]] = np.array(values, np.float32)
            except ValueError:
                raise errors.UserError(f"{file}:{line}: holds what is not a number") from None
            found += 1
    if not found:
        raise errors.UserError(f"{file}: has a vector of none of the {len(number):,} words")
    print(f"{file}: vectors of {found:,} of the {len(number):,} words")
    layer.embeddings.assign(table)


@keras.saving.register_keras_serializable(package="lstm_tasks")
class WordDropout(keras.layers.Layer):
    """Replaces ids of words by that of the unknown, in training only.

    Args:
        rate: share of the words that are replaced; padding stays.
        seed: of the draws.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        words: int32 (batch, time).
        training: whether words are replaced.

    Returns:
        int32 (batch, time).
    """

    def __init__(self, rate: float, seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.rate = rate
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, *_: Any) -> None:
        self.built = True

    def call(self, words: Any, training: bool = False) -> Any:
        if not training or not self.rate:
            return words
        drawn = keras.random.uniform(ops.shape(words), seed=self.generator)
        replaced = ops.logical_and(drawn < self.rate, ops.not_equal(words, 0))
        return ops.where(replaced, vocabularies.UNKNOWN, words)

    def compute_output_spec(self, words: Any, **_: Any) -> Any:
        return keras.KerasTensor(words.shape, words.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable(package="lstm_tasks")
class BagOfPieces(keras.layers.Layer):
    """Sums vectors of a text's words, pairs of words, and pieces of words with two to five letters.

        s = Σ_g B[hash(g)] / √n,  g = 1 … n

    A piece may begin before a word's first letter and end after its last one, which tells these
    places. Vectors are found by a hash of the numbers of words or letters, in integers below 2^31
    that TensorFlow and ONNX compute alike; several pieces may share a vector. With a linear layer
    after it, it is the linear model of n-grams.

    Source: Joulin et al., "Bag of tricks for efficient text classification", 2016.

    Args:
        size: number of vectors, at most 262,139.
        units: size of a vector.
        dropout: share of the words, pairs and pieces that are left out in training.
        seed: of the draws.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        words: int32 (batch, time), 0 after the end.
        letters: int32 (batch, time, letters), 0 after a word's end.
        training: whether some are left out.

    Returns:
        float32 (batch, units), zeros for a text without words.
    """

    def __init__(
        self, size: int, units: int, dropout: float = 0.0, seed: int = 0, **options: Any
    ) -> None:
        super().__init__(**options)
        self.size, self.units, self.dropout, self.seed = size, units, dropout, seed
        self.generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, *_: Any) -> None:
        self.vectors = self.add_weight(
            name="vectors", shape=(self.size, self.units), initializer="zeros"
        )
        self.built = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Returns no mask: the output has no steps."""

    def call(self, words: Any, letters: Any, training: bool = False) -> Any:
        batch = ops.shape(words)[0]
        known = ops.cast(words > vocabularies.UNKNOWN, "int32")
        hashes, counted = [_hash(1, [words])], [known]
        hashes.append(_hash(2, [words[:, :-1], words[:, 1:]]))
        counted.append(known[:, :-1] * known[:, 1:])
        spelled = ops.pad(letters, [[0, 0], [0, 0], [1, 1]])
        length = ops.shape(spelled)[2]
        there = ops.cast(spelled > 0, "int32")
        for count in _PIECES:
            # A word shorter than the piece has none: padding gives the slices a length
            read = ops.pad(spelled, [[0, 0], [0, 0], [0, count]])
            places = [read[:, :, at : at + length] for at in range(count)]
            hashes.append(ops.reshape(_hash(count + 1, places), (batch, -1)))
            last = ops.pad(there, [[0, 0], [0, 0], [0, count]])
            inside = last[:, :, count - 2 : count - 2 + length]
            if count == 2:  # the mark of the beginning and the first letter
                inside = ops.maximum(inside, last[:, :, 1 : 1 + length] * (1 - there))
            counted.append(ops.reshape(inside, (batch, -1)))
        at = ops.mod(ops.concatenate(hashes, axis=1), self.size)
        weights = ops.cast(ops.concatenate(counted, axis=1), self.compute_dtype)
        total = ops.sum(weights, axis=1, keepdims=True)
        if training and self.dropout:
            drawn = keras.random.uniform(ops.shape(weights), seed=self.generator)
            weights = ops.where(drawn < self.dropout, 0.0, weights / (1 - self.dropout))
        found = ops.take(self.vectors, at, axis=0) * weights[..., None]
        return ops.sum(found, axis=1) / ops.sqrt(ops.maximum(total, 1))

    def compute_output_spec(self, words: Any, letters: Any, **_: Any) -> Any:
        del letters
        return keras.KerasTensor((words.shape[0], self.units), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        own = ("size", "units", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _hash(start: int, numbers: list[Any]) -> Any:
    """Returns a number below 262,139 for numbers side by side, int32 of their shape."""
    found = ops.zeros_like(numbers[0]) + start
    for each in numbers:
        found = ops.mod(found * _FACTOR + each, _PRIME)  # below 2^31 before it is divided
    return found


@keras.saving.register_keras_serializable(package="lstm_tasks")
class LetterFilters(keras.layers.Layer):
    """Reads the letters of words by filters, and takes the greatest value of each in a word.

    Args:
        letter_count: number of letter ids, 0 for padding included.
        units: size of a letter's vector.
        filters: size of a word's vector.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        letters: int32 (batch, time, letters), 0 after a word's end.

    Returns:
        float32 (batch, time, filters), zeros for a word without letters.
    """

    def __init__(self, letter_count: int, units: int, filters: int, **options: Any) -> None:
        super().__init__(**options)
        self.letter_count, self.units, self.filters = letter_count, units, filters
        self.supports_masking = True

    def build(self, *_: Any) -> None:
        self.vectors = self.add_weight(
            name="vectors", shape=(self.letter_count, self.units), initializer="random_normal"
        )
        self.kernel = self.add_weight(
            name="kernel", shape=(_KERNEL_LETTERS, self.units, self.filters)
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        self.built = True

    def call(self, letters: Any) -> Any:
        batch, time, count = ops.shape(letters)
        flat = ops.reshape(letters, (batch * time, count))
        is_letter = ops.cast(ops.not_equal(flat, 0), self.vectors.dtype)[..., None]
        read = ops.take(self.vectors, flat, axis=0) * is_letter
        read = ops.conv(read, self.kernel, padding="same") + self.bias
        best = ops.max(ops.where(is_letter > 0, ops.relu(read), NOTHING), axis=1)
        best = best * ops.max(is_letter, axis=1)
        return ops.reshape(best, (batch, time, self.filters))

    def compute_output_spec(self, letters: Any) -> Any:
        return keras.KerasTensor((*letters.shape[:2], self.filters), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        own = ("letter_count", "units", "filters")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@keras.saving.register_keras_serializable(package="lstm_tasks")
class LetterLSTM(LetterFilters):
    """Reads the letters of words by an LSTM in both directions, and takes both last states.

    Args, call arguments and result are those of `LetterFilters`; `filters` is even, and half of
    them are the units of each direction.
    """

    def build(self, *_: Any) -> None:
        self.vectors = self.add_weight(
            name="vectors", shape=(self.letter_count, self.units), initializer="random_normal"
        )
        self.recurrent = lstm_layers.BiLSTM(self.filters // 2, dtype=self.dtype_policy)
        self.recurrent.build((None, None, self.units))
        self.built = True

    def call(self, letters: Any) -> Any:
        batch, time, count = ops.shape(letters)
        flat = ops.reshape(letters, (batch * time, count))
        read = self.recurrent(ops.take(self.vectors, flat, axis=0), mask=ops.not_equal(flat, 0))
        return ops.reshape(read, (batch, time, self.filters))
