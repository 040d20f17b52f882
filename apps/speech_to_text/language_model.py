"""Learns in which order letters follow each other, from texts alone.

    h_t              recurrent(E[letter_(t-1)])_t        the beginning of a text before the first
    p(letter_t | …)  softmax(W h_t + b)                  of each letter and of the text's end

It judges the texts that the recogniser finds likely: `decoding` adds its logarithm to theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import lstm_layers
from apps.speech_to_text import config as configs
from apps.speech_to_text import transcripts
from apps.suite import errors
from apps.suite.commands import progress
from apps.suite.texts import text_files
from apps.suite.training import history
from apps.suite.training import order as training_order

_DRAWS = 7  # beside the run's seed: no other draw of the task takes it
_LONGEST = 400  # letters of a text that are learned


def build(config: configs.LanguageConfig, letters: int) -> keras.Model:
    """Builds the model of int32 (batch, time) to logits (batch, time, letters + 1).

    Number `letters` is the beginning of a text as an input, and its end as an output.
    """
    numbers = keras.Input((None,), dtype="int32", name="letters")
    values = keras.layers.Embedding(letters + 1, min(64, config.units), name="embedding")(numbers)
    values = lstm_layers.PeepholeLSTM(
        config.units, return_sequences=True, name="language_recurrent"
    )(values)
    values = keras.layers.Dropout(0.2, name="language_dropout")(values)
    logits = keras.layers.Dense(letters + 1, name="following")(values)
    return keras.Model(numbers, logits, name="language_model")


def log_probability(network: keras.Model, labels: tf.Tensor, training: bool = False) -> tf.Tensor:
    """Returns ln p of each text, its end included, float32 [b], of labels int32 [b, n], -1 after.

    A text without letters has the probability of one that ends at once.
    """
    letters = network.outputs[0].shape[-1] - 1
    rows = tf.shape(labels)[0]
    known = tf.where(labels >= 0, labels, letters)
    edge = tf.fill([rows, 1], letters)
    logits = network(tf.concat([edge, known], axis=1), training=training)
    nats = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.concat([known, edge], axis=1), logits)
    counts = tf.reduce_sum(tf.cast(labels >= 0, tf.int32), axis=1)
    counted = tf.sequence_mask(counts + 1, tf.shape(labels)[1] + 1)
    return -tf.reduce_sum(tf.where(counted, nats, 0.0), axis=1)


def corpus_of(config: configs.Config, train: Sequence[str], alphabet: Sequence[str]) -> list[str]:
    """Returns the different texts to learn from, in letters of the alphabet.

    A line of `language.corpus` is a text; letters outside of the alphabet are left out.

    Raises:
        UserError: a file that cannot be read, or holds no letter.
    """
    texts: Sequence[str] = train
    if config.language.corpus:
        file = Path(config.language.corpus).expanduser()
        known = set(alphabet)
        lines = (
            transcripts.normalised(line, config.text) for line in text_files.read(file).split("\n")
        )
        texts = [" ".join("".join(c for c in line if c in known).split()) for line in lines]
        if not any(texts):
            raise errors.UserError(f"{file}: has no letter of the alphabet")
    return list(dict.fromkeys(text[:_LONGEST].strip() for text in texts if text))


def train(config: configs.Config, texts: Sequence[str], alphabet: Sequence[str]) -> keras.Model:
    """Trains a model on texts; the same weights whenever seed, config and texts are the same."""
    settings = config.language
    keras.utils.set_random_seed(config.seed)
    network = build(settings, len(alphabet))
    order = training_order.Order(np.arange(len(texts)), (config.seed, _DRAWS))
    steps = settings.steps
    if not steps:
        return network
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps), global_clipnorm=1.0
    )

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)], autograph=False)
    def learn(labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            ends = tf.shape(labels)[0]
            count = tf.math.count_nonzero(labels >= 0, dtype=tf.int32) + ends
            nats = -tf.reduce_sum(log_probability(network, labels, training=True))
            loss = nats / tf.cast(count, tf.float32)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)
        return loss

    optimizer.build(network.trainable_variables)
    loss = tf.constant(0.0)
    for step in progress.watched(range(steps), "language model", steps):
        chosen = order.take(step * settings.batch_size, settings.batch_size)
        loss = learn(transcripts.table([texts[at] for at in chosen], alphabet))
    history.show_progress(f"language model: {float(loss):.3f} nats a letter of its last batch")
    return network
