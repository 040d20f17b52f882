"""Compares an exported model with the table of signatures of its task, `serving.SIGNATURES`."""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from apps.suite.serving import signatures as described


def table(task: str) -> Mapping[str, described.Signature]:
    return importlib.import_module(f"apps.{task}.serving").SIGNATURES


def differences(version: Path, wanted: Mapping[str, described.Signature]) -> Iterator[str]:
    """A line for each signature or tensor that is not as the table says."""
    found = signatures(version)
    for name in found.keys() - wanted.keys():
        yield f"{name}: not in the table"
    for name, signature in wanted.items():
        if name in found:
            yield from _of_tensors(f"{name}, inputs", found[name][0], signature.inputs)
            yield from _of_tensors(f"{name}, outputs", found[name][1], signature.outputs)
        elif not signature.optional:
            yield f"{name}: not in the export"


def _of_tensors(
    where: str, found: Mapping[str, tuple[str, Any]], wanted: Mapping[str, str]
) -> Iterator[str]:
    states = wanted.get(described.STATES)
    named = {name: each for name, each in wanted.items() if name != described.STATES}
    for name in named.keys() - found.keys():
        yield f"{where}: no {name}"
    for name, (dtype, shape) in found.items():
        expected = named.get(name, states)
        if expected is None:
            yield f"{where}: {name} is not in the table"
            continue
        kind, rank = described.parse(expected)
        if kind not in ("any", dtype):
            yield f"{where}: {name} is {dtype}, not {kind}"
        if rank not in (None, len(shape)):
            yield f"{where}: {name} has shape {shape}, not {expected}"


def signatures(version: Path) -> dict[str, Any]:
    """name -> (inputs, outputs), each tensor's name -> (dtype, shape with None for free)."""
    return {
        name: (_tensors(signature.inputs), _tensors(signature.outputs))
        for name, signature in _graph(version).signature_def.items()
        if not name.startswith("__")
    }


def places(version: Path) -> dict[str, Any]:
    """name -> (inputs, outputs), each tensor's name -> its place in the graph."""
    return {
        name: tuple(
            {each: tensor.name for each, tensor in side.items()}
            for side in (signature.inputs, signature.outputs)
        )
        for name, signature in _graph(version).signature_def.items()
        if not name.startswith("__")
    }


def operations(version: Path) -> set[str]:
    """Names of all operations in the exported graph and in its functions."""
    graph = _graph(version).graph_def
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    return {node.op for node in nodes}


def _graph(version: Path) -> Any:
    from tensorflow.core.protobuf import saved_model_pb2

    content = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    return content.meta_graphs[0]


def _tensors(described: Any) -> dict[str, tuple[str, list[int | None]]]:
    import tensorflow as tf

    return {
        name: (
            tf.dtypes.as_dtype(tensor.dtype).name,
            [None if side.size < 0 else side.size for side in tensor.tensor_shape.dim],
        )
        for name, tensor in described.items()
    }
