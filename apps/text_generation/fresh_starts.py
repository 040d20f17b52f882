"""Empties the state of some rows as they walk through the text, so that a model can begin anywhere.

A row that carries its state for ever starts from nothing once, at the very first step. The trained
model then has never seen an empty state with its final weights, and may fall into one of its own
making that no text leads out of: stretches of a test text cost twice the nats of their neighbours.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from apps import replica_rows


class FreshStarts(keras.callbacks.Callback):
    """Sets a row's states to zero before every window whose number is a multiple of `windows`.

    The model keeps its states, each (rows, units), in a list `states` (`replica_rows.state`).

    Rows take turns, so that about the same number of them begin at each step. Which ones is a
    function of the step alone: a resumed training does as one that was not interrupted.

    Args:
        windows: that a row reads from an empty state to the next.
        steps_per_checkpoint: steps of one Keras epoch, to tell the step from epoch and batch.
    """

    def __init__(self, windows: int, steps_per_checkpoint: int) -> None:
        super().__init__()
        self.windows = windows
        self.steps_per_checkpoint = steps_per_checkpoint
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        step = self._epoch * self.steps_per_checkpoint + batch
        for state in self.model.states:
            kept = self.kept(step, replica_rows.whole_shape(state)[0])[:, None]
            for rows, part in replica_rows.parts(state):
                part.assign(part * kept[rows])

    def kept(self, step: int, rows: int) -> np.ndarray:
        """1 for rows that go on at this step and 0 for those that begin anew, float32 (rows,)."""
        turn = np.arange(rows) * self.windows // rows
        return ((step + turn) % self.windows != 0).astype(np.float32)
