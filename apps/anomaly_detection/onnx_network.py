"""What `python -m apps.export_onnx` writes of a run: values in, the network's word on them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from apps import onnx_file
from apps.anomaly_detection import trained_model


def network(run: Path) -> onnx_file.Network:
    """Values without gaps and whether they were observed, both (batch, time, features).

    A forecaster has `predictions` (batch, time, horizon, scored) and its states, a network of
    windows a `reconstruction` (batch, window, scored).
    """
    model = trained_model.load(run).network
    scaling = model.get_layer("scaling")
    mean, deviation = np.asarray(scaling.mean), np.asarray(scaling.deviation)
    draw = np.random.default_rng(0)
    examples = []
    for rows, time in ((1, 1), (1, 40), (3, 9)):
        steps = model.inputs[0].shape[1] or time
        drawn = draw.normal(size=(rows, steps, len(mean)))
        inputs = {
            "values": (mean + deviation * drawn).astype(np.float32),
            "observed": (draw.random(drawn.shape) < 0.9).astype(np.float32),
        }
        for state in model.inputs[2:]:
            inputs[state.name] = draw.uniform(0, 0.5, (rows, *state.shape[1:])).astype(np.float32)
        examples.append(inputs)
    answer = "predictions" if len(model.inputs) > 2 else "reconstruction"
    return onnx_file.Network(model, answer, examples)
