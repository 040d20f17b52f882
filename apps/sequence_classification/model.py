"""Builds the classifier: an encoder of sequences or of texts, and one linear layer.

s = encoder(x)              one vector a sequence, or one a step
p = softmax(W s + b)        probabilities of the labels
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from apps.sequence_classification import config as configs
from apps.suite.distribution import replicas
from apps.suite.sequences import encoded_inputs


def build(config: configs.Config, given: encoded_inputs.Inputs, classes: int) -> keras.Model:
    """Builds the model, uncompiled.

    Args:
        config: kind and sizes.
        given: its inputs.
        classes: number of labels.

    Returns:
        A model of the inputs of `encoded_inputs.added` to logits, float32 (batch, classes), or
        (batch, time, classes) with labels by step.
    """
    inputs, vectors = encoded_inputs.added(config, given)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(vectors)
    return keras.Model(inputs, logits, name="sequence_classification")


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
