"""Networks of runs in ONNX Runtime and TensorFlow: `python benchmarks/onnx_networks.py runs`.

For each finished run in a folder (named like its task) it writes the network as
`python -m apps.export_onnx` does, which checks it, and asks both for the longest of its examples,
one row and 16 at a time, in turn, on one core. TensorFlow runs a graph traced for any rows and
steps, its layers by their own choice. Prints steps, the largest difference of any output, median
milliseconds of the processor, and the median ratio of a pair: below 1 ONNX Runtime is faster.
"""

from __future__ import annotations

import functools
import importlib
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import finished_runs
import keras
import numpy as np
import onnxruntime
import paired
import tensorflow as tf

from apps import export_onnx
from apps.suite.export import onnx_file

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


ROWS = (1, 16)


def measure(task: str, run: Path, pairs: int) -> None:
    """Prints the lines of a task."""
    network = importlib.import_module(f"apps.{task}.export").onnx_network(run)
    with tempfile.TemporaryDirectory() as folder:
        file = export_onnx.export(run, Path(folder))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
    inputs = keras.tree.flatten(network.model.inputs)
    ask = tf.function(
        lambda given: onnx_file.asked(network.model, given),
        autograph=False,
        input_signature=[
            {each.name: tf.TensorSpec(each.shape, each.dtype, each.name) for each in inputs}
        ],
    )
    longest = max(network.examples, key=_steps)
    for rows in ROWS:
        example = {name: value[np.arange(rows) % len(value)] for name, value in longest.items()}
        tensors = {name: tf.constant(value) for name, value in example.items()}
        ours = functools.partial(session.run, None, example)
        theirs = functools.partial(ask, tensors)
        apart = max(
            float(np.max(np.abs(one - other), initial=0.0))
            for one, other in zip(ours(), theirs(), strict=True)
        )
        found = paired.compare(ours, theirs, pairs, time.process_time)
        print(
            f"| {task} | {rows} | {_steps(example)} | {apart:.1e} | {found.theirs:.2f} "
            f"| {found.ours:.2f} | **{found.ratio:.2f}** |",
            flush=True,
        )


def _steps(example: Mapping[str, np.ndarray]) -> int:
    return int(next(iter(example.values())).shape[1])


def main() -> None:
    """Prints the table."""
    parser = finished_runs.arguments(__doc__.splitlines()[0])
    options = parser.parse_args()
    tasks = finished_runs.tasks(options.runs, options.only)
    core = paired.pin_to_one_core()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    print(
        f"TensorFlow {tf.__version__}, ONNX Runtime {onnxruntime.__version__}, core {core}, "
        f"median of {options.pairs} pairs\n"
    )
    print("| network | rows | steps | difference | TensorFlow, ms | ONNX Runtime, ms | ratio |")
    print("|---|---|---|---|---|---|---|")
    for task in tasks:
        measure(task, options.runs / task, options.pairs)


if __name__ == "__main__":
    main()
