"""Compares the block operation with a loop, for "auto": `python benchmarks/loops.py`.

The time of a `PeepholeLSTM` in a graph that is traced for any rows and steps, as an export holds
it: by `implementation="block"` and by "graph", in turn, on one core. The results of both must be
the same before anything is timed. Prints the median ratio of a pair, block to graph, of the
processor's time: below 1 the block is faster.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time

import numpy as np
import paired
import tensorflow as tf

from lstm_layers import PeepholeLSTM

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


SIZES = ((64, 96), (128, 128), (256, 128), (640, 128), (256, 256), (64, 512), (256, 512))
ROWS = (1, 16)
STEPS = (1, 4, 16, 64)


def graphs(features: int, units: int) -> list:
    """The same layer twice, as functions of (rows, steps, features): by block and by graph."""
    layers = [PeepholeLSTM(units, implementation=name) for name in ("block", "graph")]
    for layer in layers:
        layer.build((None, None, features))
    layers[1].set_weights(layers[0].get_weights())
    signature = [tf.TensorSpec([None, None, features])]
    return [
        tf.function(functools.partial(layer, training=False), signature, autograph=False)
        for layer in layers
    ]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=15, help="measurements of each number")
    options = parser.parse_args()
    core = paired.pin_to_one_core()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    print(f"TensorFlow {tf.__version__}, core {core}, median of {options.pairs} pairs\n")
    print("| features, units | weights | rows |", *(f"{steps} steps |" for steps in STEPS))
    print("|---|---|---|" + "---|" * len(STEPS))
    draw = np.random.default_rng(0)
    for features, units in SIZES:
        block, graph = graphs(features, units)
        for rows in ROWS:
            ratios = []
            for steps in STEPS:
                x = tf.constant(draw.normal(size=(rows, steps, features)), tf.float32)
                ours, theirs = functools.partial(block, x), functools.partial(graph, x)
                if not np.allclose(ours(), theirs(), rtol=1e-5, atol=1e-5):
                    sys.exit(f"{features}, {units}: the two differ, so they are not timed")
                found = paired.compare(ours, theirs, options.pairs, time.process_time)
                ratios.append(f"{found.ratio:.2f}")
            weights = (features + units) * 4 * units
            print(f"| {features}, {units} | {weights:,} | {rows} |", " | ".join(ratios), "|")


if __name__ == "__main__":
    main()
