"""A training step of `PeepholeLSTM` on a GPU, against PyTorch and Keras, as ratios of times.

Ours without peepholes runs NVIDIA's cuDNN kernel ("auto" takes it); by name it also runs the loops
by XLA and of "graph", which are those of layers with peepholes. PyTorch and Keras run cuDNN. Below
1 we are faster. The gradients of the bias are checked against each other before anything is timed,
and each side waits for the GPU at the end of a step. Everything is float32, no TensorFloat-32.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --cpu --pairs 3     tries the script where there is no GPU
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable

import keras
import layers
import tensorflow as tf
import torch

from lstm_layers import PeepholeLSTM

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SHAPES = ("32,64,39,128", "64,128,128,256", "16,400,80,320")


class PlainCase(layers.Case):
    """A shape for an LSTM without peepholes, with which all three compute the same."""

    ours_class = staticmethod(functools.partial(PeepholeLSTM, peepholes=""))

    def keras(self) -> keras.Layer:
        return self._built(keras.layers.LSTM(self.units, return_sequences=True))

    def step(self, layer: keras.Layer) -> Callable[[], list]:
        """A step of TensorFlow, which returns the bias's gradient; its end is waited for."""
        run = self.training(layer)
        return lambda: [run()[-1].numpy()]

    def torch_step(self, device: str) -> Callable[[], list]:
        layer = self.torch().to(device)
        x = torch.tensor(self.x.numpy(), device=device, requires_grad=True)
        d_y = torch.tensor(self.d_y.numpy(), device=device)

        def run() -> list:
            x.grad = None
            layer.zero_grad()
            (layer(x)[0] * d_y).sum().backward()
            return [layer.bias_ih_l0.grad.cpu().numpy()]

        return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=15, help="measurements of each line")
    parser.add_argument("--cpu", action="store_true", help="run without a GPU")
    options = parser.parse_args()
    devices = tf.config.list_logical_devices("GPU"), torch.cuda.is_available()
    if not all(devices) and not options.cpu:
        sys.exit("TensorFlow and PyTorch must both see a GPU; --cpu tries the script without one")
    tf.config.experimental.enable_tensor_float_32_execution(False)
    torch.backends.cudnn.allow_tf32 = False
    print(
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}, PyTorch {torch.__version__}; "
        f"{'a CPU' if options.cpu else torch.cuda.get_device_name()}; "
        f"median of {options.pairs} pairs\n"
    )
    print("| ours | batch, time, features, units | against | ours, ms | theirs, ms | ratio |")
    print("|---|---|---|---|---|---|")
    table = layers.Table(options.pairs)
    for shape in SHAPES:
        case = PlainCase(layers.SHAPES[shape])
        peers = {
            "torch nn.LSTM": case.torch_step("cpu" if options.cpu else "cuda"),
            "keras LSTM": case.step(case.keras()),
        }
        for implementation in ("auto", "xla", "graph"):
            layer = case.ours(implementation)
            ours = case.step(layer)
            ours()  # chooses the implementation
            for peer, theirs in peers.items():
                table.line(layer.implementation_used, peer, shape, ours, theirs)


if __name__ == "__main__":
    main()
