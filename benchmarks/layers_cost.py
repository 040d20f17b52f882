"""Measures the costs of a `PeepholeLSTM` beyond the time of a step, beside `torch.nn.LSTM`.

Time of the first training step (tracing and compiling), peak memory of a training step, and the
time of a step over lengths and over units, on one core. Every measurement is a process of its own,
so that nothing is left over from another.

    python benchmarks/layers_cost.py --plots benchmarks/plots
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import paired

KINDS = {
    "xla": "PeepholeLSTM, xla",
    "graph": "PeepholeLSTM, graph",
    "torch": "torch nn.LSTM",
}
MEMORY_SHAPES = ((32, 64, 39, 128), (64, 128, 128, 256), (16, 400, 80, 320))
LENGTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
UNITS = (32, 64, 128, 256, 512, 1024)


def measure(kind: str, shape: tuple[int, ...]) -> dict[str, float]:
    """Seconds of the first and of a later step, and MiB that the steps added to the process."""
    made = subprocess.run(
        [sys.executable, __file__, "--child", kind, ",".join(map(str, shape))],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(made.stdout.splitlines()[-1])


def child(kind: str, shape: tuple[int, ...]) -> dict[str, float]:
    """What one process measures."""
    paired.pin_to_one_core()
    step = _torch_step(shape) if kind == "torch" else _tensorflow_step(kind, shape)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    step()
    first = time.perf_counter() - start
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    added = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"first": first, "step": sorted(seconds)[2], "mebibytes": added / 1024}


def _tensorflow_step(kind: str, shape: tuple[int, ...]):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    from lstm_layers import PeepholeLSTM

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    batch, length, features, units = shape
    x = tf.random.normal((batch, length, features))
    d_y = tf.random.normal((batch, length, units))
    layer = PeepholeLSTM(units, return_sequences=True, implementation=kind)
    layer.build((None, None, features))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) * d_y)
        return tape.gradient(loss, [x, *(weight.value for weight in layer.trainable_weights)])

    return step


def _torch_step(shape: tuple[int, ...]):
    import torch

    torch.set_num_threads(1)
    batch, length, features, units = shape
    x = torch.randn(batch, length, features, requires_grad=True)
    d_y = torch.randn(batch, length, units)
    layer = torch.nn.LSTM(features, units, batch_first=True)

    def step():
        x.grad = None
        layer.zero_grad()
        y, _ = layer(x)
        (y * d_y).sum().backward()

    return step


def table() -> None:
    print("| shape | kind | first step, s | a step, ms | memory added, MiB |")
    print("|---|---|---|---|---|")
    for shape in MEMORY_SHAPES:
        for kind, label in KINDS.items():
            found = measure(kind, shape)
            print(
                f"| {','.join(map(str, shape))} | {label} | {found['first']:.2f} | "
                f"{found['step'] * 1e3:.1f} | {found['mebibytes']:.0f} |",
                flush=True,
            )


def curves(folder: Path) -> None:
    """Writes time over length and over units, as printed numbers and as plots."""
    sweeps = {
        "steps": ("batch 16, 64 features, 128 units", [(n, (16, n, 64, 128)) for n in LENGTHS]),
        "units": ("batch 16, 64 steps, 64 features", [(n, (16, 64, 64, n)) for n in UNITS]),
    }
    for name, (fixed, points) in sweeps.items():
        milliseconds: dict[str, dict[int, float]] = {}
        for kind, label in KINDS.items():
            milliseconds[label] = {n: measure(kind, shape)["step"] * 1e3 for n, shape in points}
            print(name, label, *(f"{n}: {ms:.2f} ms" for n, ms in milliseconds[label].items()))
        draw(folder / f"layers_over_{name}.png", f"{name} ({fixed})", milliseconds)


def draw(file: Path, x_label: str, milliseconds: dict[str, dict[int, float]]) -> None:
    """A curve for each label, both axes logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    file.parent.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for label, curve in milliseconds.items():
        axes.loglog(list(curve), list(curve.values()), marker="o", label=label)
    axes.set_xticks(list(curve), [f"{n:,}" for n in curve])
    axes.minorticks_off()
    axes.set(xlabel=x_label, ylabel="milliseconds of a training step, one core")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--plots", type=Path, help="folder for the curves; without, they are left out"
    )
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        kind, shape = options.child
        print(json.dumps(child(kind, tuple(map(int, shape.split(","))))))
        return
    table()
    if options.plots:
        curves(options.plots)


if __name__ == "__main__":
    main()
