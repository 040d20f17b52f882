"""A compiled training step is compiled once, whatever the masks of its batches are."""

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import sys
from pathlib import Path
import numpy as np, tensorflow as tf
import lstm_layers

layer = getattr(lstm_layers, sys.argv[1])(4, implementation="xla", return_sequences=True)
values = tf.constant(np.random.default_rng(0).normal(size=(3, 9, 2)), tf.float32)

def step(lengths):
    mask = tf.sequence_mask(lengths, 9)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(values, mask=mask, training=True) ** 2)
    return tape.gradient(loss, layer.trainable_variables)

layer(values)
train = tf.function(step, input_signature=[tf.TensorSpec([3], tf.int32)])
counts = []
for lengths in ([9, 4, 2], [3, 8, 1], [7, 7, 7], [1, 2, 5], [6, 0, 0], [9, 9, 9]):
    train(tf.constant(lengths))
    counts.append(len(list(Path(sys.argv[2]).glob("*before_optimizations.txt"))))
assert layer.implementation_used == "xla", layer.implementation_used
print(*counts)
"""


@pytest.mark.parametrize("layer", ["PeepholeLSTM", "GRU"])
def test_a_new_mask_compiles_nothing(layer, tmp_path):
    flags = f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text"
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM, layer, str(tmp_path)],
        env={**os.environ, "XLA_FLAGS": flags, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    first, *others = map(int, ended.stdout.split())
    assert first > 0
    assert set(others) == {first}
