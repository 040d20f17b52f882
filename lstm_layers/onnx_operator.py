"""Writes one layer into an ONNX graph: its LSTM or GRU operator, and the layer's outputs from it.

Source: sections "LSTM" and "GRU" of the ONNX operator documentation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lstm_layers.bilstm import BiLSTM
from lstm_layers.gru import GRU
from lstm_layers.weights import layer_weights, onnx_weights

# The oldest versions that have all these operators, so that older runtimes read the model too.
OPSET = 17
IR_VERSION = 8
# By name in `activations`: name in ONNX, alpha and beta where it takes them.
ACTIVATIONS: dict[str, tuple[str, tuple[float, ...]]] = {
    "tanh": ("Tanh", ()),
    "sigmoid": ("Sigmoid", ()),
    "relu": ("Relu", ()),
    "softsign": ("Softsign", ()),
    "hard_sigmoid": ("HardSigmoid", (1.0 / 6.0, 0.5)),
    "linear": ("Affine", (1.0, 0.0)),
}
_JOINS = {"sum": "Add", "mul": "Mul", "ave": "Mean"}


class Graph:
    """An ONNX graph that is written node by node; values are identified by their names.

    Args:
        onnx: the module.
    """

    def __init__(self, onnx: Any):
        self._onnx = onnx
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._constants: list[Any] = []
        self._nodes: list[Any] = []

    def input(self, name: str, shape: list[str | int], dtype: str = "FLOAT") -> str:
        """Adds an input of the model; a string in `shape` is a size that may vary."""
        kind = getattr(self._onnx.TensorProto, dtype)
        self._inputs.append(self._onnx.helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, value: str, shape: list[str | int]) -> None:
        """Adds an output of the model, float32, that is `value` under another name."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name], name=name))
        kind = self._onnx.TensorProto.FLOAT
        self._outputs.append(self._onnx.helper.make_tensor_value_info(name, kind, shape))

    def constant(self, array: Any) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(
            self._onnx.numpy_helper.from_array(np.asarray(array, order="C"), name)
        )
        return name

    def node(self, operator: str, inputs: list[str], **attributes) -> str:
        """Adds a node and returns its output; an empty name leaves an input out."""
        return self.nodes(operator, inputs, 1, **attributes)[0]

    def nodes(self, operator: str, inputs: list[str], outputs: int, **attributes) -> list[str]:
        """Adds a node with several outputs."""
        name = f"{operator}_{len(self._nodes)}"
        names = [f"{name}_{position}" for position in range(outputs)]
        self._nodes.append(
            self._onnx.helper.make_node(operator, inputs, names, name=name, **attributes)
        )
        return names

    def serialized(self) -> bytes:
        """Returns the model, after the checks of the package onnx."""
        helper = self._onnx.helper
        model = helper.make_model(
            helper.make_graph(
                self._nodes, "lstm_layers", self._inputs, self._outputs, self._constants
            ),
            producer_name="lstm_layers",
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        self._onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString()


class Direction(NamedTuple):
    """Names of values: h at every step (time, batch, units), and the last states (batch, units)."""

    sequences: str
    last: list[str]


def recurrence(graph: Graph, layer, x: str, lengths: str, initial: list[str]) -> list[Direction]:
    """Adds the operator of a layer, from x (time, batch, features) and the states in our order."""
    halves = layer_weights.halves_of(layer)
    cell = halves[0].cell
    weights = {
        name: graph.constant(array.astype("float32"))
        for name, array in onnx_weights.to_onnx(layer).items()
    }
    kinds = len(cell.state_size)  # h and c, or h
    by_kind = [
        graph.node(
            "Concat", [_unsqueezed(graph, state, 0) for state in initial[kind::kinds]], axis=0
        )
        if initial
        else ""
        for kind in range(kinds)
    ]
    inputs = [x, weights["W"], weights["R"], weights.get("B", ""), lengths, *by_kind]
    if "P" in weights:
        inputs.append(weights["P"])
    y, *last = graph.nodes(
        "GRU" if isinstance(halves[0], GRU) else "LSTM", inputs, 1 + kinds, **_attributes(layer)
    )
    directions = []
    for position in range(len(halves)):
        index = graph.constant(np.array(position))
        states = [graph.node("Gather", [state, index], axis=0) for state in last]
        if lengths and initial:  # The operators return zeros for rows of length 0.
            some = graph.node("Greater", [lengths, graph.constant(np.array(0, "int32"))])
            some = _unsqueezed(graph, some, 1)
            states = [
                graph.node("Where", [some, state, initial[position * kinds + kind]])
                for kind, state in enumerate(states)
            ]
        directions.append(Direction(graph.node("Gather", [y, index], axis=1), states))
    return directions


def _attributes(layer) -> dict[str, Any]:
    halves = layer_weights.halves_of(layer)
    cell = halves[0].cell
    is_gru = isinstance(halves[0], GRU)
    # f of the gates, g of the candidate, and for LSTM h of the cell state.
    names = [cell.recurrent_activation, *[cell.activation] * (1 if is_gru else 2)] * len(halves)
    scales = [ACTIVATIONS[name][1] for name in names if ACTIVATIONS[name][1]]
    attributes: dict[str, Any] = {
        "hidden_size": layer.units,
        "direction": "bidirectional" if len(halves) == 2 else "forward",
        "activations": [ACTIVATIONS[name][0] for name in names],
    }
    if len(halves) == 1 and layer.go_backwards:
        attributes["direction"] = "reverse"
    if scales:
        attributes["activation_alpha"] = [alpha for alpha, _ in scales]
        attributes["activation_beta"] = [beta for _, beta in scales]
    if is_gru:
        attributes["linear_before_reset"] = int(cell.reset_after)
    return attributes


def outputs(graph: Graph, layer, directions: list[Direction], lengths: str) -> list[str]:
    """Adds the outputs of a layer, (time, batch, width) or (batch, width): one value or a pair."""
    found = [_output(graph, layer, direction, lengths) for direction in directions]
    if len(found) == 1 or layer.merge_mode is None:
        return found
    if layer.merge_mode == "concat":
        return [graph.node("Concat", found, axis=-1)]
    return [graph.node(_JOINS[layer.merge_mode], found)]


def _output(graph: Graph, layer, direction: Direction, lengths: str) -> str:
    """Adds the output of one direction: (time, batch, units), or (batch, units)."""
    sequences, h = direction.sequences, direction.last[0]
    one_way = not isinstance(layer, BiLSTM)
    zeros = one_way and layer.zero_output_for_mask  # as in the operators' outputs at masked steps
    if not layer.return_sequences:
        if not (lengths and zeros):
            return h
        last = graph.constant(np.array(0 if layer.go_backwards else -1))
        return graph.node("Gather", [sequences, last], axis=0)
    if not one_way:
        return sequences
    if layer.go_backwards:  # This layer returns the last step first.
        start, end, step = (graph.constant(np.array([n])) for n in (-1, np.iinfo("int64").min, -1))
        axis = graph.constant(np.array([0]))
        return graph.node("Slice", [sequences, start, end, axis, step])
    if not lengths or zeros:
        return sequences
    zero, one = (graph.constant(np.array(n, "int32")) for n in (0, 1))
    time = graph.node(
        "Gather", [graph.node("Shape", [sequences]), graph.constant(np.array(0))], axis=0
    )
    time = graph.node("Cast", [time], to=6)  # int32
    steps = _unsqueezed(graph, graph.node("Range", [zero, time, one]), 1)
    real = _unsqueezed(graph, graph.node("Less", [steps, lengths]), 2)
    return graph.node("Where", [real, sequences, h])


def _unsqueezed(graph: Graph, value: str, axis: int) -> str:
    return graph.node("Unsqueeze", [value, graph.constant(np.array([axis]))])
