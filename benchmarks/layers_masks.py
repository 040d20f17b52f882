"""Measures the cost of a masked batch by its share of real steps.

A training step of a `PeepholeLSTM` under a mask, rows in no order, against the same step without
one, in turn, on one core. If padding cost nothing, the ratio would be the share of real steps. It
is one of the processor's time; results are checked against "graph" before anything is timed.

    python benchmarks/layers_masks.py
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable

import keras
import numpy as np
import paired
import tensorflow as tf

from lstm_layers import PeepholeLSTM

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SHAPES = ((32, 64, 39, 128), (64, 128, 128, 256))
SHARES = (0.25, 0.5, 0.75, 1.0)


def lengths(rows: int, steps: int, share: float) -> np.ndarray:
    """Real steps of each row: the longest row full, the others spread evenly about the share."""
    if share == 1.0:
        return np.full(rows, steps)
    if share < 0.5:
        spread = np.linspace(0.0, 1.0, rows) ** (1.0 / share - 1.0)
    else:
        spread = np.linspace(2.0 * share - 1.0, 1.0, rows)
    found = np.maximum(1, (spread * steps).round().astype(int))
    return np.random.default_rng(1).permutation(found)


def training(layer: keras.Layer, d_y: tf.Tensor) -> Callable:
    """A training step: gradients of the input and of all weights."""

    @tf.function
    def step(x, mask):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, mask=mask, training=True) * d_y)
        return tape.gradient(loss, [x, *(weight.value for weight in layer.trainable_weights)])

    return step


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=9, help="measurements of each number")
    options = parser.parse_args()
    core = paired.pin_to_one_core()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    print(f"TensorFlow {tf.__version__}, core {core}, median of {options.pairs} pairs\n")
    print("| batch, time, features, units | real steps | of the time without a mask |")
    print("|---|---|---|")
    draw = np.random.default_rng(0)
    for rows, steps, features, units in SHAPES:
        x = tf.constant(draw.normal(size=(rows, steps, features)), tf.float32)
        d_y = tf.constant(draw.normal(size=(rows, steps, units)), tf.float32)
        layers = [
            PeepholeLSTM(units, return_sequences=True, implementation=name)
            for name in ("xla", "graph")
        ]
        for layer in layers:
            layer.build(x.shape)
        layers[1].set_weights(layers[0].get_weights())
        step, reference = (training(layer, d_y) for layer in layers)
        for share in SHARES:
            real = lengths(rows, steps, share)
            mask = tf.constant(np.arange(steps) < real[:, None])
            for one, other in zip(step(x, mask), reference(x, mask), strict=True):
                if not np.abs(one - other).max() <= 1e-4 * np.abs(other).max():
                    sys.exit(f"{rows}, {steps}: results differ from graph's, so it is not timed")
            ratio = paired.compare(
                lambda step=step, x=x, mask=mask: step(x, mask),
                lambda step=step, x=x: step(x, None),
                options.pairs,
                time.process_time,
            ).ratio
            shape = f"{rows}, {steps}, {features}, {units}"
            print(f"| {shape} | {real.mean() / steps:.0%} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
