"""The ways in which a layer can run its loop over time, and which one is taken when.

"graph"     a While loop of stock TensorFlow operations with a backward loop derived by hand: any
            shape, any precision, any device, and it exports.
"block"     TensorFlow's `BlockLSTMV2` operation forward, the backward loop of "graph"
            (`lstm_block`): one operation for the whole loop, so by far the fastest for few rows
            and for eager calls. `PeepholeLSTM` with tanh and sigmoid, float32, on CPU; any mask, no
            recurrent dropout, not within a graph that XLA compiles. It exports.
"xla"       both loops compiled (`lstm_xla`, `gru_xla`): the fastest training on CPU.
            `PeepholeLSTM` and `GRU`. Compiles for each new shape, which takes seconds, and stock
            TensorFlow Serving cannot run it.
"portable"  `keras.ops`, and the backend's own gradient: what other backends than TensorFlow, and
            layers without a derived gradient, always run.

"auto", where more than one would do, is "xla" in the training of a graph whose number of steps is
static, in 32 or 64 bits on CPU; else "block" where nothing forbids it, in a graph for weights that
stay in the processor's cache; else "graph". It never takes "xla" when `training` is not true, so
that what is exported runs anywhere.

An implementation that is asked for by name and can't run a call is a ValueError that says why.
"""

from __future__ import annotations

from typing import Any

import keras

IMPLEMENTATIONS = ("auto", "graph", "block", "xla", "portable")

# The block operation reads W and R anew at every step; the loop of "graph" multiplies all inputs
# with W at once, but costs some 25 microseconds of TensorFlow's own a step. Up to so many weights,
# 1.2 MB, the block is faster; with 400,000 it is level, with more it loses (`benchmarks/loops.py`).
_BLOCK_WEIGHTS = 300_000


def checked(implementation: str) -> str:
    """Returns its argument; ValueError where there is no such implementation."""
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(f"implementation must be one of {IMPLEMENTATIONS}, got {implementation!r}")
    return implementation


def choose(implementation: str, cell: Any, inputs, training: bool, unroll: bool) -> str:
    """The implementation that a call takes.

    Args:
        implementation: as asked for.
        cell: of the layer; its `implementations` are those it has.
        inputs: (time, batch, features), of which shape and dtype are read.
        training: whether the call is one of a training.
        unroll: whether the loop is to be written out.

    Raises:
        ValueError: the implementation that was asked for can't run this call.
    """
    hindrances = {
        name: _hindrance(name, cell, inputs, training, unroll) for name in IMPLEMENTATIONS[1:]
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
    steps = inputs.shape[0]
    # Products of 16 bits are faster outside XLA, where oneDNN does them.
    wide = keras.backend.standardize_dtype(inputs.dtype) in ("float32", "float64")
    if "xla" in possible and training and wide and steps is not None and _in_cpu_graph():
        return "xla"
    if "block" in possible and (_eager() or _weights(cell, inputs) <= _BLOCK_WEIGHTS):
        return "block"
    return "graph" if "graph" in possible else "portable"


def _weights(cell: Any, inputs) -> int:
    """How many numbers W and R have together."""
    rows, columns = cell.recurrent_kernel.shape
    return int((inputs.shape[-1] + rows) * columns)


def _eager() -> bool:
    import tensorflow as tf

    return bool(tf.executing_eagerly())


def _in_cpu_graph() -> bool:
    """Whether a graph for one CPU is being traced: an eager call would compile for each length."""
    import tensorflow as tf

    return not (tf.executing_eagerly() or tf.config.list_logical_devices("GPU"))


def _hindrance(name: str, cell: Any, inputs, training: bool, unroll: bool) -> str | None:
    """Why an implementation cannot run a call, or None."""
    if name == "portable":
        return None
    if keras.backend.backend() != "tensorflow":
        return "it is TensorFlow's alone"
    if name not in cell.implementations:
        return f"{type(cell).__name__} has none"
    if name == "graph":
        return None
    if unroll:
        return "it does not unroll"
    if name == "xla":
        return None
    if training and cell.recurrent_dropout:
        return "it knows no recurrent dropout"
    if keras.backend.standardize_dtype(inputs.dtype) != "float32":
        return "it computes in float32"
    if (cell.activation, cell.recurrent_activation) != ("tanh", "sigmoid"):
        return "its activations are tanh and sigmoid"
    from lstm_layers.recurrences import tensorflow_private  # the backend may be another one

    return "XLA cannot compile it" if tensorflow_private.compiled_by_xla() else None
