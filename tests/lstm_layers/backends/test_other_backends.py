"""The tests of this folder again, in a process of its own for each backend that is installed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

# The layers are tiny here, and nearly all of JAX's time goes into compiling them.
XLA_FLAGS = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
ROOT = Path(__file__).parents[3]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="started from the run on TensorFlow"
    ),
]


@pytest.fixture(params=["jax", "torch"])
def backend(request):
    """The name of a backend that is installed."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


def _run(backend, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": XLA_FLAGS},
        capture_output=True,
        text=True,
        check=False,
    )


def test_importing_and_calling_the_layers_does_not_import_tensorflow(backend):
    script = (
        "import sys, numpy, lstm_layers\n"
        "for make in (lstm_layers.PeepholeLSTM, lstm_layers.GRU, lstm_layers.StackedLSTM):\n"
        "    make(2)(numpy.ones((1, 3, 2), 'float32'))\n"
        "sys.exit('tensorflow was imported' if 'tensorflow' in sys.modules else 0)"
    )
    process = _run(backend, "-c", script)
    assert process.returncode == 0, process.stderr


def test_every_layer_is_right_there(backend):
    recurrent = Path(__file__).with_name("test_layers_on_backend.py")
    names = ("attention_lstm", "conv_lstm", "crf")
    others = [str(Path(__file__).parents[1] / f"test_{name}.py") for name in names]
    process = _run(backend, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(recurrent), *others)
    assert process.returncode == 0, process.stdout[-5000:] + process.stderr[-2000:]
    assert " passed" in process.stdout
