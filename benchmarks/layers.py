"""`PeepholeLSTM` with all peepholes, and `GRU`, against what one would use instead.

Each line is a ratio of times, ours to theirs: below 1 we are faster. Before anything is timed the
peer's results are checked against ours; where the peer knows no peepholes ours have the value
zero, which costs the same; of torch's GRU, whose gates are in another order, the gradient of the
input stands for all. Shapes are (batch, time, features, units), everything is float32. One core is
used, or with `--cores all` every one by both sides.

    python benchmarks/layers.py
    python benchmarks/layers.py --only training --pairs 15
    python benchmarks/layers.py --only gru
    python benchmarks/layers.py --only training --cores all
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import paired
import tensorflow as tf
import torch

from lstm_layers import GRU, PeepholeLSTM, PeepholeLSTMCell, export_onnx, to_torch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


SHAPES = {
    "32,64,39,128": (32, 64, 39, 128),
    "64,128,128,256": (64, 128, 128, 256),
    "1,100,39,128": (1, 100, 39, 128),
    "16,400,80,320": (16, 400, 80, 320),
}


class Case:
    """One shape: our layer, its peers with the same weights, and data for them."""

    kind = "LSTM"
    ours_class: type = PeepholeLSTM

    def __init__(
        self, shape: tuple[int, int, int, int], masked: bool = False, peepholes: float = 0.0
    ):
        self.batch, self.time, features, self.units = shape
        draw = np.random.default_rng(0)
        self.x = tf.constant(draw.normal(size=(self.batch, self.time, features)), tf.float32)
        self.d_y = tf.constant(draw.normal(size=(self.batch, self.time, self.units)), tf.float32)
        self.mask = None
        self.lengths = np.full(self.batch, self.time)
        if masked:  # right padding, half of all steps, the longest row full
            self.lengths = np.linspace(self.time, 1, self.batch).round().astype(int)
            self.mask = tf.constant(np.arange(self.time) < self.lengths[:, None])
            self.d_y *= tf.cast(self.mask, tf.float32)[:, :, None]
        self.weights: list[np.ndarray] = []  # then those that the first layer starts with
        self.weights = self.ours().get_weights()
        for position in range(3, len(self.weights)):  # the peepholes
            self.weights[position] = peepholes * draw.normal(size=self.units)

    def ours(self, implementation: str = "auto") -> keras.Layer:
        made = self.ours_class(self.units, return_sequences=True, implementation=implementation)
        return self._built(made)

    def keras(self) -> keras.Layer:
        make = getattr(keras.layers, self.kind)
        return self._built(make(self.units, return_sequences=True, use_cudnn=False))

    def cell_layer(self) -> keras.Layer:
        return self._built(keras.layers.RNN(PeepholeLSTMCell(self.units), return_sequences=True))

    def torch(self) -> torch.nn.Module:
        made = getattr(torch.nn, self.kind)(self.x.shape[-1], self.units, batch_first=True)
        arrays = to_torch(self.ours())
        made.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        return made

    def _built(self, layer: keras.Layer) -> keras.Layer:
        layer(self.x[:, :1])
        if self.weights:
            layer.set_weights(self.weights[: len(layer.weights)])
        return layer

    def forward(self, layer: keras.Layer, compiled: bool = False) -> Callable[[], list]:
        @tf.function(jit_compile=compiled)
        def run(x):
            return [layer(x, mask=self.mask)]

        return lambda: run(self.x)

    def training(self, layer: keras.Layer, compiled: bool = False) -> Callable[[], list]:
        """Forward and backward: gradients of the input and of W, R and b come first."""

        @tf.function(jit_compile=compiled)
        def run(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(layer(x, mask=self.mask, training=True) * self.d_y)
            return tape.gradient(loss, [x, *(weight.value for weight in layer.trainable_weights)])

        return lambda: run(self.x)

    def torch_call(self, training: bool) -> Callable[[], list]:
        layer = self.torch()
        x = torch.tensor(self.x.numpy(), requires_grad=training)
        d_y = torch.tensor(self.d_y.numpy())

        def run():
            read = x
            if self.mask is not None:
                read = torch.nn.utils.rnn.pack_padded_sequence(x, self.lengths, batch_first=True)
            y, _ = layer(read)
            if self.mask is not None:
                y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True)
            if not training:
                return [y]
            x.grad = None
            layer.zero_grad()
            (y * d_y).sum().backward()
            kernel, recurrent_kernel, bias, _ = (weight.grad for weight in layer.parameters())
            weights = [kernel.T, recurrent_kernel.T, bias] if self.kind == "LSTM" else []
            return [x.grad, *weights]

        def forward_only():
            with torch.no_grad():
                return run()

        return run if training else forward_only


class GRUCase(Case):
    """The same for a GRU."""

    kind = "GRU"
    ours_class = GRU


class Table:
    """Checks, times and prints."""

    def __init__(self, pairs: int) -> None:
        self.pairs = pairs

    def line(self, what: str, peer: str, shape: str, ours: Callable, theirs: Callable) -> None:
        compared = list(zip(ours(), theirs(), strict=False))
        difference = max(_relative(np.asarray(a), np.asarray(b)) for a, b in compared)
        if not difference < 1e-3:
            sys.exit(f"{what}, {shape}: {peer} differs by {difference:.2g}, so it is not timed")
        found = paired.compare(ours, theirs, self.pairs)
        print(
            f"| {what} | {shape} | {peer} | {found.ours:.2f} | {found.theirs:.2f} | "
            f"**{found.ratio:.2f}** |",
            flush=True,
        )


def _relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / np.abs(b).max())


def training(table: Table) -> None:
    for name, shape in SHAPES.items():
        _peers(table, "training step", name, Case(shape), train=True)


def masks(table: Table) -> None:
    for name in ("32,64,39,128", "64,128,128,256"):
        _peers(
            table,
            "training step, half of the steps masked",
            name,
            Case(SHAPES[name], masked=True),
            True,
        )


def forward(table: Table) -> None:
    for name, shape in SHAPES.items():
        for implementation in ("block", "xla"):
            _peers(table, f"forward, {implementation}", name, Case(shape), False, implementation)


def gru(table: Table) -> None:
    for name, shape in list(SHAPES.items())[:3]:
        case = GRUCase(shape)
        _peers(table, "GRU, training step", name, case, train=True)
        for implementation in ("graph", "xla"):
            _peers(table, f"GRU, forward, {implementation}", name, case, False, implementation)


def _peers(
    table: Table, what: str, name: str, case: Case, train: bool, implementation: str = "auto"
) -> None:
    def call(layer: keras.Layer, compiled: bool = False) -> Callable[[], list]:
        made = case.training(layer, compiled) if train else case.forward(layer, compiled)
        return (
            (lambda: [_at_real_steps(case, made()[0])])
            if case.mask is not None and not train
            else made
        )

    ours = case.ours(implementation)
    run = call(ours)
    table.line(what, f"torch nn.{case.kind}", name, run, case.torch_call(train))
    expected = "xla" if train else implementation
    if ours.implementation_used != expected:
        sys.exit(f"{what}: {ours.implementation_used} ran in place of {expected}")
    table.line(what, f"keras {case.kind}", name, run, call(case.keras()))
    table.line(what, f"keras {case.kind}, XLA", name, run, call(case.keras(), compiled=True))
    if case.mask is None and case.kind == "LSTM":
        table.line(what, "keras RNN over the cell", name, run, call(case.cell_layer()))


def _at_real_steps(case: Case, y: tf.Tensor) -> tf.Tensor:
    return y * tf.cast(case.mask, y.dtype)[:, :, None]


def exported(table: Table) -> None:
    """From a SavedModel that was loaded anew, against Keras's and against ONNX Runtime."""
    for name in ("1,100,39,128", "64,128,128,256"):
        for peer in ("keras LSTM", "ONNX Runtime"):
            case = Case(SHAPES[name], peepholes=0.3 if peer == "ONNX Runtime" else 0.0)
            with tempfile.TemporaryDirectory() as folder:
                run = _served(case.ours(), case, Path(folder) / "ours")
                if peer == "keras LSTM":
                    theirs = _served(case.keras(), case, Path(folder) / "keras")
                else:
                    theirs = _onnx(case, Path(folder) / "ours.onnx")
                table.line("exported, no XLA", peer, name, run, theirs)


def _served(layer: keras.Layer, case: Case, folder: Path) -> Callable[[], list]:
    archive = keras.export.ExportArchive()
    archive.track(layer)
    signature = [tf.TensorSpec([None, None, case.x.shape[-1]])]
    archive.add_endpoint("serve", lambda x: layer(x, training=False), signature)
    archive.write_out(str(folder), verbose=False)
    loaded = tf.saved_model.load(str(folder))
    return lambda: [loaded.serve(case.x)]


def _onnx(case: Case, file: Path) -> Callable[[], list]:
    export_onnx(case.ours(), file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: case.x.numpy()}
    return lambda: session.run(None, feed)[:1]


def gemm_gigaflops() -> float:
    """The rate of a product of two 1024 x 1024 matrices in TensorFlow, on the same core."""
    a = tf.random.normal((1024, 1024))
    run = tf.function(lambda: a @ a)
    run()
    seconds = []
    for _ in range(15):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return 2 * 1024**3 / float(np.median(seconds)) / 1e9


def main() -> None:
    parts = {
        "training": training,
        "masks": masks,
        "forward": forward,
        "exported": exported,
        "gru": gru,
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=sorted(parts), help="one part of the table")
    parser.add_argument("--cores", choices=["one", "all"], default="one")
    parser.add_argument("--pairs", type=int, default=9, help="measurements of each line")
    options = parser.parse_args()
    cores = paired.cores(options.cores)
    tf.config.threading.set_intra_op_parallelism_threads(cores)
    tf.config.threading.set_inter_op_parallelism_threads(cores)
    torch.set_num_threads(cores)
    print(
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}, PyTorch {torch.__version__}, "
        f"ONNX Runtime {onnxruntime.__version__}; {cores} of {os.cpu_count()} cores; a product of "
        f"matrices: {gemm_gigaflops():.0f} GFLOP/s; median of {options.pairs} pairs\n"
    )
    print("| what | shape | against | ours, ms | theirs, ms | ratio |")
    print("|---|---|---|---|---|---|")
    for name, part in parts.items():
        if options.only in (None, name):
            part(Table(options.pairs))


if __name__ == "__main__":
    main()
