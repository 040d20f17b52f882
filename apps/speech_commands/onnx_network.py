"""What `python -m apps.export_onnx` writes of a run: features of clips in, logits out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from apps import onnx_file
from apps.speech_commands import trained_model


def network(run: Path) -> onnx_file.Network:
    """`features` (batch, time, channels), `context_frames` and `frames` (batch,) to `logits`."""
    model = trained_model.load(run).model
    channels = model.input["features"].shape[-1]
    layer = model.get_layer("normalisation")
    mean, deviation = np.asarray(layer.mean), np.sqrt(np.asarray(layer.variance))
    draw = np.random.default_rng(0)
    examples = []
    for frames, context in (([61], [0]), ([9], [0]), ([50, 31, 12], [0, 4, 30])):
        drawn = draw.normal(size=(len(frames), 62, channels))
        features = mean.reshape(-1) + deviation.reshape(-1) * drawn
        examples.append(
            {
                "features": features.astype(np.float32),
                "context_frames": np.array(context, np.int32),
                "frames": np.array(frames, np.int32),
            }
        )
    return onnx_file.Network(model, "logits", examples)
