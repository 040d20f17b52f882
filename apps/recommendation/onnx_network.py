"""What `python -m apps.export_onnx` writes of a run: codes of a history in, scores of items out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from apps import onnx_file
from apps.recommendation import trained_model


def network(run: Path) -> onnx_file.Network:
    """`history` int32 (batch, time), 0 = no item, to `scores` (batch, items)."""
    trained = trained_model.load(run)
    items = len(trained.item_names)
    histories = np.random.default_rng(0).integers(1, items + 1, (4, 9), np.int32)
    with_gaps = histories.copy()
    with_gaps[1, 4:] = with_gaps[2, :3] = with_gaps[3, 2] = 0
    examples = [{"history": each} for each in (histories[:1, :1], histories[:1], with_gaps)]
    return onnx_file.Network(trained.model, "scores", examples)
