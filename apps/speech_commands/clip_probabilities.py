"""What a model says of whole clips, from their samples: features of the served graph included."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from apps.speech_commands import config as configs
from apps.speech_commands import data

_ROWS = 64


class ClipProbabilities:
    """Answers clips with the probabilities of the labels.

    Args:
        trained: what `model.build` returned.
        config: its config.
    """

    def __init__(self, trained: keras.Model, config: configs.Config) -> None:
        self.trained = trained
        self.config = config
        spec = tf.TensorSpec([None, None], tf.float32)
        self._compiled = tf.function(self.of_batch, input_signature=[spec], autograph=False)

    def of_batch(self, waveform: tf.Tensor) -> tf.Tensor:
        """Float32 [b, labels] of clips float32 [b, samples], in pure TensorFlow."""
        features = data.preprocess(waveform, self.config)
        batch = tf.shape(features)[0]
        clips = {
            "features": features,
            "context_frames": tf.zeros([batch], tf.int32),
            "frames": tf.fill([batch], tf.shape(features)[1]),
        }
        return tf.nn.softmax(self.trained(clips, training=False))

    def __call__(self, waveforms: Iterable[np.ndarray]) -> np.ndarray:
        """Float32 [clips, labels] of clips of any lengths, at least one.

        Clips behind one another that are equally long are asked together; none is padded.
        """
        found = []
        for _, alike in itertools.groupby(waveforms, key=len):
            while rows := list(itertools.islice(alike, _ROWS)):
                found.append(self._compiled(tf.constant(np.stack(rows), tf.float32)).numpy())
        return np.concatenate(found)
