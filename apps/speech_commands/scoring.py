"""What a model says of clips whose features are there: probabilities, in padded batches."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from apps.speech_commands import example_batches
from apps.speech_commands.feature_cache import FeatureSet


def probabilities(trained: keras.Model, examples: FeatureSet) -> np.ndarray:
    """What a `Scorer` of this model returns; for more than one call keep one."""
    return Scorer(trained)(examples)


class Scorer:
    """Answers examples with the weights that the model has at the time.

    Args:
        trained: what `model.build` returns, or another model of the same inputs.
    """

    def __init__(self, trained: keras.Model) -> None:
        self._classes = trained.outputs[0].shape[-1]
        given = {
            tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in trained.inputs
        }

        def answer(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
            return tf.nn.softmax(trained(inputs, training=False))

        self._answer = tf.function(answer, input_signature=[given], autograph=False)

    def __call__(self, examples: FeatureSet) -> np.ndarray:
        """Float32 (examples, classes), each clip by itself and from a zero state."""
        found = np.empty((len(examples.labels), self._classes), np.float32)
        for indices, inputs in example_batches.evaluation(examples):
            found[indices] = self._answer({name: tf.constant(x) for name, x in inputs.items()})
        return found
