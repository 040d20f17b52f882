"""What `python -m apps.export_onnx` writes of a run: frames of clips in, logits out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from apps import onnx_file
from apps.video_classification import trained_model


def network(run: Path) -> onnx_file.Network:
    """`frames` uint8 (batch, time, height, width, 3) and `length` int32 (batch,) to `logits`."""
    model = trained_model.load(run).model
    height, width = model.input["frames"].shape[2:4]
    draw = np.random.default_rng(0)
    examples = [
        {
            "frames": draw.integers(0, 256, (len(lengths), time, height, width, 3), np.uint8),
            "length": np.array(lengths, np.int32),
        }
        for lengths, time in (([1], 1), ([16], 16), ([9, 4, 1], 9))
    ]
    return onnx_file.Network(model, "logits", examples)
