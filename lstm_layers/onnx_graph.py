"""`Graph`: an ONNX graph that is written node by node."""

from __future__ import annotations

from typing import Any

import numpy as np

# The oldest that has all that is written here, so that older runtimes read it as well.
OPSET = 17
IR_VERSION = 8


class Graph:
    """Collects inputs, constants, nodes and outputs; values are told apart by their names.

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
        """Adds an input of the model; a word in `shape` is a size that may vary."""
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
        """Adds a node and returns its output; an empty name is an input that is left out."""
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
        """The model, after the checks of the package onnx."""
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
