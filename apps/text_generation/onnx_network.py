"""What `python -m apps.export_onnx` writes of a run: tokens, states in; logits, states out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from apps import onnx_file
from apps.text_generation import trained_model


def network(run: Path) -> onnx_file.Network:
    """`tokens` int32 (batch, time) and the states to `logits` (batch, time, vocabulary)."""
    streaming = trained_model.load(run).streaming
    draw = np.random.default_rng(0)
    examples = [
        {
            "tokens": draw.integers(0, streaming.outputs[0].shape[-1], (rows, time), np.int32),
            **{
                state.name: draw.uniform(-0.5, 0.5, (rows, state.shape[-1])).astype(np.float32)
                for state in streaming.inputs[1:]
            },
        }
        for rows, time in ((1, 1), (1, 20), (3, 7))
    ]
    return onnx_file.Network(streaming, "logits", examples)
