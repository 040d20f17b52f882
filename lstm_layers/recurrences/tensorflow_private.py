"""What is used of TensorFlow beyond its public interface."""

from contextlib import AbstractContextManager

import tensorflow as tf
from tensorflow.python.eager import record
from tensorflow.python.ops import control_flow_util


def not_recorded() -> AbstractContextManager:
    """While the block runs, no gradient tape records what it computes.

    A `tf.function` that is called under a tape is traced with its own gradient in view, which
    XLA cannot compile for a loop. `tf.custom_gradient` does not keep the tape out by itself.
    """
    return record.stop_recording()


def compiled_by_xla() -> bool:
    """Whether the graph that is being traced is one that XLA will compile, or within one."""
    graph = tf.compat.v1.get_default_graph()
    return control_flow_util.GraphOrParentsInXlaContext(graph)
