"""What a model says of clips whose features are there: probabilities, in padded batches."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from apps.speech_commands import example_batches
from apps.speech_commands.feature_cache import FeatureSet


def probabilities(trained: keras.Model, examples: FeatureSet) -> np.ndarray:
    """Float32 (examples, classes), each clip by itself and from a zero state.

    Args:
        trained: what `model.build` returns, or another model of the same inputs.
        examples: of any lengths.
    """
    channels = examples.frames.shape[1]
    rows = tf.TensorSpec([None], tf.int32)
    inputs = {
        "features": tf.TensorSpec([None, None, channels], tf.float32),
        "context_frames": rows,
        "frames": rows,
    }

    @tf.function(input_signature=[inputs], autograph=False)
    def answer(given: dict[str, tf.Tensor]) -> tf.Tensor:
        return tf.nn.softmax(trained(given, training=False))

    found = np.empty((len(examples.labels), trained.outputs[0].shape[-1]), np.float32)
    for indices, given in example_batches.evaluation(examples):
        found[indices] = answer({name: tf.constant(part) for name, part in given.items()})
    return found
