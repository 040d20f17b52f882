"""A small model with signatures of every sort, and a way to add versions of it to a folder."""

import numpy as np
import tensorflow as tf

from apps.suite.serving import warmup_requests

NAME = "echo"


class Echo(tf.Module):
    """Adds its number to values; answers texts with their lengths; gives bytes back."""

    def __init__(self, number):
        super().__init__()
        self.number = tf.Variable(float(number))

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "values")])
    def add(self, values):
        return {"sums": tf.reduce_sum(values, axis=1) + self.number}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "text"),
            tf.TensorSpec([], tf.int32, "times"),
        ]
    )
    def describe(self, text, times):
        lengths = times * tf.strings.length(text) + 0 * tf.cast(self.number, tf.int32)
        return {"length": lengths, "raw_bytes": text, "kinds": tf.constant(["short", "long", "?"])}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, "divisor")])
    def divide(self, divisor):
        valid = tf.debugging.assert_positive(divisor, "divisor: has to be above 0")
        with tf.control_dependencies([valid]):
            quotient = 100 // divisor + 0 * tf.cast(self.number, tf.int64)
        return {"quotient": quotient, "rest": 100 % divisor}


def write(folder, number):
    """Writes `folder/echo/<number>`, whole at once as an export is."""
    model = Echo(number)
    partial = folder / NAME / f".partial-{number}"
    signatures = {"serving_default": model.add, "describe": model.describe, "divide": model.divide}
    tf.saved_model.save(model, str(partial), signatures)
    (partial / warmup_requests.FILE).parent.mkdir()
    values = np.ones((2, 3), np.float32)
    request = warmup_requests.Request("serving_default", {"values": values})
    warmup_requests.write(partial / warmup_requests.FILE, NAME, [request])
    return partial.rename(folder / NAME / str(number))
