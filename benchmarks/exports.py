"""Times requests to exports against plain loops, and lists what their recurrent layers run.

    python benchmarks/exports.py runs
    python benchmarks/exports.py runs --only text_generation --pairs 25
    python benchmarks/exports.py runs --before older_exports

For each finished run in a folder (named like its task) it exports by the task's own export twice:
with all recurrent layers told to take `implementation="graph"`, a While of single operations, and
as they choose by themselves. Or it takes the newest versions of exports that are there as the ones
before. Both are loaded as a server loads them and asked for one row and for 16, in turn, on one
core, with the first request of the version's own warm-up file, made as long as `SIZES` says. The
answers of both must be the same before anything is timed. Prints for each signature its operations
over time, and median milliseconds of the processor with the median ratio of a pair: below 1 the
export is faster.
"""

from __future__ import annotations

import collections
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import finished_runs
import keras
import numpy as np
import paired
import tensorflow as tf

from apps import serve_check
from apps.suite.export import check
from apps.suite.serving import models, warmup_requests
from lstm_layers import GRU, PeepholeLSTM, recurrent_cell

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


ROWS = (1, 16)
# How long an input is made: characters of a text, else steps. A week of half-hours, a long history.
SIZES = {
    ("text_generation", "serving_default"): {"prompt": 300},
    ("text_generation", "score"): {"text": 1000},
    ("anomaly_detection", "serving_default"): {"values": 336},
    ("anomaly_detection", "stream"): {"values": 1},
    ("recommendation", "serving_default"): {"history": 50},
    ("recommendation", "candidates"): {"history": 50},
}


def exported(task: str, run: Path, folder: Path, implementation: str) -> Path:
    """The version that the task's export writes when its layers are told how to compute."""
    trained_model = importlib.import_module(f"apps.{task}.trained_model")
    load = trained_model.load

    def told(run: Path) -> Any:
        trained = load(run)
        held = trained if isinstance(trained, tuple) else vars(trained).values()
        for model in held:
            for layer in recurrent_cell.layers_within(model) if _is_model(model) else ():
                if isinstance(layer, PeepholeLSTM | GRU):
                    layer.implementation = implementation
        return trained

    trained_model.load = told
    try:
        return importlib.import_module(f"apps.{task}.export").export(run, folder / implementation)
    finally:
        trained_model.load = load


def _is_model(value: Any) -> bool:
    return isinstance(value, keras.Model)


def loops(version: Path, signature: Any) -> str:
    """The operations over time that a signature of a version runs."""
    (graph,) = check.graphs(version)
    functions = {each.signature.name: each for each in graph.library.function}
    found: collections.Counter[str] = collections.Counter()

    def look_into(nodes: Any) -> None:
        for node in nodes:
            if "BlockLSTM" in node.op or "While" in node.op:
                found[node.op.removeprefix("Stateless")] += 1
            for value in node.attr.values():
                for called in (value.func.name, *(each.name for each in value.list.func)):
                    if called in functions:
                        look_into(functions[called].node_def)

    answering = {output.name.partition(":")[0] for output in signature.outputs.values()}
    look_into(node for node in graph.node if node.name in answering)
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items())) or "none"


def request(task: str, signature: str, described: Any, version: Path) -> Mapping[str, Any]:
    """Inputs of one row."""
    every = warmup_requests.read(version / warmup_requests.FILE)
    inputs = dict(next(each.inputs for each in every if each.signature == signature))
    for name, size in SIZES.get((task, signature), {}).items():
        values = np.asarray(inputs[name])
        if values.ndim == 1:
            text = values[0].decode()
            inputs[name] = np.array([(text * size)[:size].encode()], object)
        else:
            inputs[name] = values[:, np.arange(size) % values.shape[1]]
    rows = check.with_rows(inputs, described.inputs)
    return {name: value[:1] if name in rows else value for name, value in inputs.items()}


def measure(task: str, before: Path, after: Path, pairs: int) -> None:
    """Prints the lines of a task."""
    both = [models.ServedVersion(version) for version in (after, before)]
    for signature, described in both[0].described.items():
        row = request(task, signature, described, after)
        repeated = check.with_rows(row, described.inputs)
        held = [
            loops(version, loaded.described[signature])
            for version, loaded in zip((before, after), reversed(both), strict=True)
        ]
        for count in ROWS:
            inputs = {
                name: np.repeat(value, count, axis=0) if name in repeated else value
                for name, value in row.items()
            }
            ours, theirs = (
                lambda loaded=loaded: loaded.answer(signature, inputs)  # noqa: B023
                for loaded in both
            )
            wrong = check.difference(theirs(), ours())
            if wrong:
                sys.exit(f"{task}, {signature}: the two answer differently: {wrong}")
            found = paired.compare(ours, theirs, pairs, time.process_time)
            print(
                f"| {task} | {signature} | {held[0]} | {held[1]} | {count} | {found.theirs:.2f} "
                f"| {found.ours:.2f} | **{found.ratio:.2f}** |",
                flush=True,
            )
    for loaded in both:
        loaded.close()


def main() -> None:
    """Prints the table."""
    parser = finished_runs.arguments(__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="folder of exports to compare with")
    options = parser.parse_args()
    tasks = finished_runs.tasks(options.runs, options.only)
    core = paired.pin_to_one_core()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.get_logger().setLevel("ERROR")  # a loader that serves a session is an old one
    print(f"TensorFlow {tf.__version__}, core {core}, median of {options.pairs} pairs\n")
    print("| task | signature | before | export | rows | before, ms | export, ms | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for task in tasks:
        with tempfile.TemporaryDirectory() as folder:
            after = exported(task, options.runs / task, Path(folder), "auto")
            if options.before:
                (before,) = serve_check.versions(options.before / task)
            else:
                before = exported(task, options.runs / task, Path(folder), "graph")
            measure(task, before, after, options.pairs)


if __name__ == "__main__":
    main()
