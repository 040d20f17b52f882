"""The implementations of a loop over time: their names, the choice of one, and their functions.

"graph"     a While loop of stock TensorFlow operations with a backward loop derived by hand: any
            shape, any precision, any device, and it exports.
"block"     TensorFlow's `BlockLSTMV2` operation forward, the backward loop of "graph"
            (`lstm_block`): one operation for the whole loop, so by far the fastest for few rows
            and for eager calls. `PeepholeLSTM` with tanh and sigmoid, float32, on CPU; any mask, no
            recurrent dropout, not within a graph that XLA compiles. It exports.
"xla"       both loops compiled (`lstm_xla`, `gru_xla`): the fastest training on CPU.
            `PeepholeLSTM` and `GRU`. Compiles for each new shape, which takes seconds, and stock
            TensorFlow Serving cannot run it.
"cudnn"     NVIDIA's kernel for a whole loop (`lstm_cudnn`, `gru_cudnn`), on its GPUs alone:
            `PeepholeLSTM` without peepholes, `GRU` with `reset_after`; tanh and sigmoid, 32 or 64
            bits, no mask, no recurrent dropout. No gradient of its gradient.
"portable"  `keras.ops`, and the backend's own gradient: the only one on backends other than
            TensorFlow, and for layers without a derived gradient.

"auto" takes "portable" while a model is traced to be written as ONNX. Else, in training, it takes
"cudnn" where it can run and the number of steps is static, and "xla" in a graph whose number of
steps is static, in 32 or 64 bits on CPU; else "block" where it can run, in a graph for weights that
stay in the processor's cache; else "graph"; else "portable". It never takes "cudnn" or "xla" when
`training` is not true, so that exports run anywhere.

An implementation that is requested by name and cannot run a call raises a ValueError with the
reason.
"""

from __future__ import annotations

import contextlib
import contextvars
import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import keras

# By the equations of a cell and the name of an implementation: the module in this folder whose
# function `run` computes the loop. A module is imported when it first runs, since only the portable
# ones do without TensorFlow. "auto" chooses among them.
LOOPS: dict[str, dict[str, str]] = {
    "lstm": {
        "graph": "lstm_graph",
        "block": "lstm_block",
        "xla": "lstm_xla",
        "cudnn": "lstm_cudnn",
        "portable": "lstm_portable",
    },
    "gru": {
        "graph": "gru_graph",
        "xla": "gru_xla",
        "cudnn": "gru_cudnn",
        "portable": "gru_portable",
    },
}
IMPLEMENTATIONS = ("auto", *LOOPS["lstm"])

# The block operation reads W and R anew at every step; the loop of "graph" multiplies all inputs
# with W at once, but costs some 25 microseconds of TensorFlow's own a step. Up to so many weights,
# 1.2 MB, the block is faster; with 400,000 it is level, with more it loses (`benchmarks/loops.py`).
_BLOCK_WEIGHTS = 300_000

# The modules that trace a model in order to write it as ONNX: of Keras, and of its converter.
_ONNX_WRITERS = frozenset({"keras.src.export.onnx", "tf2onnx.convert"})

_WIDE = ("float32", "float64")
_SIDE_BY_SIDE = contextvars.ContextVar("loops side by side", default=1)


@contextlib.contextmanager
def side_by_side(loops: int) -> Iterator[None]:
    """Tells the loops of a block of code that so many run at the same time and share the cores."""
    before = _SIDE_BY_SIDE.set(loops * _SIDE_BY_SIDE.get())
    try:
        yield
    finally:
        _SIDE_BY_SIDE.reset(before)


def loops_side_by_side() -> int:
    """Returns the number of loops that share the cores, 1 unless `side_by_side` tells another."""
    return _SIDE_BY_SIDE.get()


def run(equations: str, chosen: str, x, mask, initial: tuple, weights, options) -> tuple:
    """Runs a loop over time by an implementation.

    Args:
        equations: a key of `LOOPS`.
        chosen: a key of that entry, as `choose` returns it.
        x: (time, batch, features), in the dtype of the products.
        mask: (time, batch) bool, False where states are copied from the step before; or None.
        initial: states before the first step, each (batch, units).
        weights, options: `Weights` and `Options` of the module of the equations, `lstm_step` or
            `gru_step`.

    Returns:
        h at every step, (time, batch, units), and the last states.
    """
    module = importlib.import_module(f"{__package__}.{LOOPS[equations][chosen]}")
    return module.run(x, mask, initial, weights, options)


def checked(implementation: str) -> str:
    """Returns its argument, the name of an implementation; ValueError for any other name."""
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(f"implementation must be one of {IMPLEMENTATIONS}, got {implementation!r}")
    return implementation


def choose(
    implementation: str, cell: Any, inputs, training: bool, unroll: bool, masked: bool
) -> str:
    """Returns the implementation for a call.

    Args:
        implementation: the name requested.
        cell: of the layer; its `equations` tell which implementations it has.
        inputs: (time, batch, features); only shape and dtype are read.
        training: whether the call is one of a training.
        unroll: whether the loop is to be written out.
        masked: whether there is a mask.

    Raises:
        ValueError: the implementation that was requested cannot run this call.
    """
    hindrances = {
        name: _hindrance(name, cell, inputs, training, unroll, masked)
        for name in IMPLEMENTATIONS[1:]
    }
    possible = [name for name, hindrance in hindrances.items() if hindrance is None]
    if implementation == "auto":
        return _fastest(possible, cell, inputs, training)
    if implementation not in possible:
        raise ValueError(
            f"implementation={implementation!r} cannot run this call: "
            f"{hindrances[implementation]}; possible here: {', '.join(possible)}"
        )
    return implementation


def _fastest(possible: list[str], cell: Any, inputs, training: bool) -> str:
    if len(possible) > 1 and _for_onnx():
        return "portable"
    steps = inputs.shape[0]
    # Products of 16 bits are faster outside XLA, where oneDNN does them.
    wide = keras.backend.standardize_dtype(inputs.dtype) in _WIDE
    if "cudnn" in possible and training and steps:
        return "cudnn"
    if "xla" in possible and training and wide and steps and _in_cpu_graph():
        return "xla"
    if "block" in possible and (_eager() or _weights(cell, inputs) <= _BLOCK_WEIGHTS):
        return "block"
    return "graph" if "graph" in possible else "portable"


def _weights(cell: Any, inputs) -> int:
    """Returns the number of entries of W and R together."""
    rows, columns = cell.recurrent_kernel.shape
    return int((inputs.shape[-1] + rows) * columns)


def _eager() -> bool:
    import tensorflow as tf

    return bool(tf.executing_eagerly())


def _for_onnx() -> bool:
    """Returns True while a model is traced to be written as ONNX.

    tf2onnx has no counterpart for the block operation, and what it makes of the loop of "graph"
    has types that ONNX Runtime refuses. Nothing but the callers tells a layer for what it is
    traced.
    """
    frame = None if _eager() else inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__") in _ONNX_WRITERS:
            return True
        frame = frame.f_back
    return False


def _in_cpu_graph() -> bool:
    """Returns True while a graph for CPU is traced; an eager call would compile for each length."""
    import tensorflow as tf

    return not (tf.executing_eagerly() or tf.config.list_logical_devices("GPU"))


def _hindrance(
    name: str, cell: Any, inputs, training: bool, unroll: bool, masked: bool
) -> str | None:
    """Returns the reason why an implementation cannot run a call, or None."""
    if name == "portable":
        return None
    if keras.backend.backend() != "tensorflow":
        return "it is TensorFlow's alone"
    if name not in LOOPS.get(cell.equations, ()):
        return f"{type(cell).__name__} has none"
    if name == "graph":
        return None
    if unroll:
        return "it does not unroll"
    if name == "xla":
        return None
    if training and cell.recurrent_dropout:
        return "it knows no recurrent dropout"
    dtypes = ("float32",) if name == "block" else _WIDE
    if keras.backend.standardize_dtype(inputs.dtype) not in dtypes:
        return f"it computes in {' or '.join(dtypes)}"
    if (cell.activation, cell.recurrent_activation) != ("tanh", "sigmoid"):
        return "its activations are tanh and sigmoid"
    if name == "cudnn" and (hindrance := _hindrance_of_cudnn(cell, masked)):
        return hindrance
    from lstm_layers.recurrences import scan  # it needs TensorFlow

    return "XLA cannot compile it" if scan.compiled_by_xla() else None


def _hindrance_of_cudnn(cell: Any, masked: bool) -> str | None:
    import tensorflow as tf

    if masked:
        return "it knows no mask"
    if getattr(cell, "peepholes", ""):
        return "it knows no peepholes"
    if not getattr(cell, "reset_after", True):
        return "its reset gate acts after the product"
    if not (tf.config.list_logical_devices("GPU") and tf.test.is_built_with_cuda()):
        return "it needs a GPU of NVIDIA"
    return None
