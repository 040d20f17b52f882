"""`export_onnx`, which writes layers as an ONNX model of native LSTM and GRU operators.

Each layer becomes one LSTM operator (peepholes included) or one GRU operator; see `onnx_operator`.
They run time-major; the inputs and outputs of the model are batch-major.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path

from lstm_layers import onnx_operator
from lstm_layers.bilstm import BiLSTM
from lstm_layers.gru import GRU
from lstm_layers.peephole_lstm import PeepholeLSTM
from lstm_layers.weights import layer_weights


def export_onnx(
    layers: PeepholeLSTM | GRU | BiLSTM | Sequence[PeepholeLSTM | GRU | BiLSTM],
    path: str | os.PathLike,
    *,
    lengths: bool = False,
    initial_states: bool = False,
    last_states: bool = False,
) -> None:
    """Writes an ONNX model with the results of the layers at inference.

    Inputs: `sequences` (batch, time, features) float32, any batch and time; with `lengths` also
    `lengths` (batch,) int32, the number of real steps of each row, the others at its end; with
    `initial_states` also `initial_<k>_<state>` (batch, units) for layer k, counted from 0, where
    state is h, c, or forward_h, forward_c, backward_h, backward_c (no c for GRU).

    Outputs: `outputs`, as the last layer returns them, or `forward_outputs` and
    `backward_outputs` with `merge_mode=None`; with `last_states` also `last_<k>_<state>`. With
    `lengths` all are those of the layers under the mask `step < length`, at masked steps and for
    rows of length 0 as well.

    Args:
        layers: a built layer, or several, each reading what the one before returns. Dropout of
            any kind is left out, as at inference. Weights are written in float32.
        path: of the file. It is replaced as a whole or not at all.
        lengths: take `lengths`.
        initial_states: take initial states; they are zeros otherwise.
        last_states: return last states, independently of the layers' `return_state`.

    Raises:
        ImportError: the package onnx is not installed.
        TypeError: another kind of layer.
        ValueError: an option that the operators lack, and layers that do not fit each other.
    """
    try:
        onnx = importlib.import_module("onnx")
    except ImportError as error:
        raise ImportError("export_onnx needs the package onnx: pip install onnx") from error
    stack = list(layers) if isinstance(layers, Sequence) else [layers]
    _check(stack, lengths, initial_states and last_states)
    graph = onnx_operator.Graph(onnx)
    features = layer_weights.directions_of(stack[0])[0].kernel.shape[0]
    x = graph.input("sequences", ["batch", "time", features])
    x = graph.node("Transpose", [x], perm=[1, 0, 2])
    rows = graph.input("lengths", ["batch"], "INT32") if lengths else ""
    states: dict[str, tuple[str, int]] = {}
    outputs = [x]
    for position, layer in enumerate(stack):
        names = _state_names(layer)
        initial = [
            graph.input(f"initial_{position}_{name}", ["batch", layer.units])
            for name in names
            if initial_states
        ]
        directions = onnx_operator.recurrence(graph, layer, outputs[0], rows, initial)
        outputs = onnx_operator.outputs(graph, layer, directions, rows)
        last = [state for direction in directions for state in direction.last]
        for name, state in zip(names, last, strict=True):
            states[f"last_{position}_{name}"] = state, layer.units
    width = layer.units * (2 if getattr(layer, "merge_mode", None) == "concat" else 1)
    ways = ("",) if len(outputs) == 1 else ("forward_", "backward_")
    for way, value in zip(ways, outputs, strict=True):
        if layer.return_sequences:
            value = graph.node("Transpose", [value], perm=[1, 0, 2])
            graph.output(f"{way}outputs", value, ["batch", "time", width])
        else:
            graph.output(f"{way}outputs", value, ["batch", width])
    for name, (state, units) in states.items() if last_states else ():
        graph.output(name, state, ["batch", units])
    _write_whole(Path(path), graph.serialized())


def _check(stack: list, lengths: bool, explicit_states: bool) -> None:
    if not stack:
        raise ValueError("there is no layer to export")
    width = None
    for position, layer in enumerate(stack):
        weights = layer_weights.directions_of(layer)[0]
        cell = layer_weights.halves_of(layer)[0].cell
        for name in (cell.activation, cell.recurrent_activation):
            if name not in onnx_operator.ACTIVATIONS:
                raise ValueError(
                    f"the operators of ONNX have no activation {name!r}, only those called here "
                    f"{', '.join(sorted(onnx_operator.ACTIVATIONS))}"
                )
        if layer.stateful and not explicit_states:
            raise ValueError(
                f"{layer.name} is stateful, and a model keeps no state between two calls: export "
                "it with initial_states=True and last_states=True"
            )
        merge_mode = getattr(layer, "merge_mode", "")
        if position < len(stack) - 1 and (merge_mode is None or not layer.return_sequences):
            raise ValueError(
                f"layer {position} must return one sequence, which the next one reads: "
                "return_sequences=True, and a merge_mode other than None"
            )
        if lengths and layer.return_sequences and getattr(layer, "go_backwards", False):
            raise ValueError(
                f"{layer.name} returns the last step first, so that padding would come before the "
                "real steps: without lengths, with return_sequences=False or as a BiLSTM it can be "
                "exported"
            )
        if position and weights.kernel.shape[0] != width:
            raise ValueError(
                f"layer {position} takes {weights.kernel.shape[0]} features, but {width} come from "
                "the one before"
            )
        width = layer.units * (2 if merge_mode == "concat" else 1)


def _state_names(layer) -> list[str]:
    halves = layer_weights.halves_of(layer)
    ways = ("",) if len(halves) == 1 else ("forward_", "backward_")
    return [way + state for way in ways for state in "hc"[: len(halves[0].state_size)]]


def _write_whole(path: Path, content: bytes) -> None:
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
