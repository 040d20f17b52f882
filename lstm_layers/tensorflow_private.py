"""What is used of TensorFlow beyond its public interface."""

from contextlib import AbstractContextManager

from tensorflow.python.eager import record


def not_recorded() -> AbstractContextManager:
    """While the block runs, no gradient tape records what it computes.

    A `tf.function` that is called under a tape is traced with its own gradient in view, which
    XLA cannot compile for a loop. `tf.custom_gradient` does not keep the tape out by itself.
    """
    return record.stop_recording()
