"""What each task's export must answer, and what an exported model says that it answers."""

from pathlib import Path
from typing import Any

Tensors = dict[str, tuple[str | None, int | None]]  # name -> dtype, rank (None: any)

SIGNATURES: dict[str, dict[str, tuple[Tensors, Tensors]]] = {
    "text_generation": {
        "serving_default": (
            {
                "prompt": ("string", 1),
                "length": (None, None),
                "temperature": (None, None),
                "top_k": (None, None),
                "top_p": (None, None),
                "seed": (None, None),
            },
            {"text": ("string", 1)},
        ),
        "step": ({}, {}),
        "score": ({}, {}),
    },
    "speech_commands": {
        "serving_default": (
            {"waveform": ("float32", 2)},
            {
                "label": ("string", 1),
                "label_names": ("string", None),
                "probabilities": ("float32", 2),
            },
        ),
        "wav": ({}, {}),
        "stream": ({}, {}),
    },
    "video_classification": {
        "serving_default": (
            {"frames": ("uint8", 5)},
            {
                "label": ("string", 1),
                "label_names": ("string", None),
                "probabilities": ("float32", 2),
            },
        ),
        "encoded": ({}, {}),
    },
    "anomaly_detection": {
        "serving_default": (
            {"values": ("float32", 3)},
            {
                "score": ("float32", 2),
                "threshold": ("float32", None),
                "is_anomaly": ("bool", 2),
                "contribution": ("float32", 3),
            },
        ),
        "stream": ({}, {}),
    },
    "recommendation": {
        "serving_default": (
            {"history": ("string", 2), "k": (None, None), "exclude_seen": ("bool", None)},
            {"items": ("string", 2), "scores": ("float32", 2), "unknown": ("int32", 1)},
        ),
        "candidates": (
            {"include": ("string", 2), "exclude": ("string", 2)},
            {"items": ("string", 2), "scores": ("float32", 2)},
        ),
    },
}


def signatures(version: Path) -> dict[str, Any]:
    """name -> (inputs, outputs), each tensor's name -> (dtype, shape with None for free)."""
    return {
        name: (_tensors(signature.inputs), _tensors(signature.outputs))
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
