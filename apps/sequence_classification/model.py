"""Builds the classifier: an encoder of sequences or of texts, and one linear layer.

s = encoder(x)              one vector a sequence, or one a step
p = softmax(W s + b)        probabilities of the labels
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from apps.sequence_classification import config as configs
from apps.suite.distribution import replicas
from apps.suite.sequences import encoded_inputs
from apps.suite.texts import words


def build(
    config: configs.Config,
    classes: int,
    channels: int,
    mean: Sequence[float] | None = None,
    deviation: Sequence[float] | None = None,
    *,
    indicators: bool = False,
    vocabulary: words.Vocabulary | None = None,
) -> keras.Model:
    """Builds the model, uncompiled.

    Args:
        config: kind and sizes.
        classes: number of labels.
        channels: of the sequences; 0 for texts.
        mean, deviation: of each channel over the train part; 0 and 1 where they are not given.
        indicators: tells the network which values were missing.
        vocabulary: of texts.

    Returns:
        A model of `values` float32 (batch, time, channels), NaN after the end and where missing,
        or of `words` int32 (batch, time) and `letters` int32 (batch, time, letters); to logits,
        float32 (batch, classes), or (batch, time, classes) with labels by step.
    """
    if vocabulary is None:
        inputs, vectors = encoded_inputs.of_sequences(
            channels,
            config.model,
            per_step=config.per_step,
            mean=mean,
            deviation=deviation,
            indicators=indicators,
        )
    else:
        inputs, vectors = encoded_inputs.of_texts(
            vocabulary, config.text, config.model, config.seed
        )
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(vectors)
    return keras.Model(inputs, logits, name="sequence_classification")


def streams(config: configs.Config, is_text: bool) -> bool:
    """Returns whether the model answers a stream of steps."""
    return config.model.streams and not is_text


def loss(config: configs.Config) -> Callable[[Any, Any], Any]:
    """Returns the loss: the cross entropy of the labels, the mean over all that count.

        L = -Σ_i w_i Σ_k q_ik ln p_ik / Σ_i w_i,  q = (1 - s) label + s / classes

    Args:
        config: s is `training.label_smoothing`.

    Returns:
        A function of labels and logits (batch, …, classes); a row of labels holds w at the right
        label. Of a distributed training it returns a replica's share.
    """
    smoothing = config.training.label_smoothing

    def cross_entropy(labels: Any, logits: Any) -> Any:
        weights = tf.reduce_sum(labels, axis=-1)
        classes = tf.cast(tf.shape(labels)[-1], labels.dtype)
        wanted = (1 - smoothing) * labels + smoothing * weights[..., None] / classes
        total = -tf.reduce_sum(wanted * tf.nn.log_softmax(logits))
        return replicas.share(total, tf.reduce_sum(weights))

    return cross_entropy
