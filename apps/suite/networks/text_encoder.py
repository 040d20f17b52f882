"""Encodes texts, word by word: a vector of each word from its number and from its letters.

    e_t = E[word_t]                                 words that training has seen often enough
    c_t = max_k relu(Σ_j W_j L[letter_{t,k+j}])     filters over the letters of a word, or
    c_t = [LSTM(L[letter_t]), LSTM(reversed)]       the last states of an LSTM in both directions
    y = sequence encoder([e, c])                    see `sequence_encoder`

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
from apps.suite.texts.config import TextConfig

_KERNEL_LETTERS = 3


def encode(
    words: Any,
    letters: Any,
    text: TextConfig,
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
    return sequence_encoder.encode_vectors(vectors, counted, config, per_step=False)


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
