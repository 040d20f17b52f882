"""Looks at the validation part: which weights are best, and how wide the intervals have to be."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from apps.forecasting import config as configs
from apps.forecasting import data
from apps.forecasting import layout as layouts
from apps.forecasting import model as models
from apps.forecasting import panel as panels
from apps.suite.evaluation import intervals

_MOST_ROWS = 1_024  # windows that are looked at, spread evenly over all
_BATCH = 256


class Validation:
    """Windows of the validation part; none of their targets was trained on.

    Args:
        panel: with validation parts.
        layout: of its train parts.
        config: of the run.
    """

    def __init__(self, panel: panels.Panel, layout: layouts.Layout, config: configs.Config) -> None:
        self.config = config
        horizon = config.forecast.horizon_steps
        every = max(1, horizon // 4)
        rows = [
            (at, int(origin), column)
            for at, one in enumerate(panel.series)
            for origin in panels.origins(one, "validation", horizon, every)
            for column in range(len(layout.target_names))
        ]
        rows = rows[:: -(-len(rows) // _MOST_ROWS)]
        self.batches = [
            data.examples(panel, layout, config, rows[start : start + _BATCH])
            for start in range(0, len(rows), _BATCH)
        ]

    def loss(self, learner: keras.Model) -> float:
        """Returns the mean of the training's loss over the future targets that are there."""
        horizon = self.config.forecast.horizon_steps
        of = models.loss(self.config.forecast.levels)
        sums = []
        for inputs, targets, _ in self.batches:
            said, y = (each[:, -horizon:] for each in (learner(inputs, training=False), targets))
            sums.append((float(of(y, said)), float(tf.math.count_nonzero(y[..., 1]))))
        return sum(mean * count for mean, count in sums) / sum(count for _, count in sums)

    def offsets(self, network: keras.Model) -> tuple[np.ndarray, str]:
        """Returns the moves of the quantiles in spreads, float32 [levels], and words on them.

        The outermost two levels move by the offset that makes their interval cover what it says
        (`intervals.conformal_offset`), and so on inwards; the median stays.
        """
        levels = self.config.forecast.levels
        horizon = self.config.forecast.horizon_steps
        z = np.concatenate(
            [
                models.answer(network, found, inputs[-1], self.config).numpy()[..., 1:]
                for inputs, _, found in self.batches
            ]
        )
        y = np.concatenate([targets[:, -horizon:].numpy() for _, targets, _ in self.batches])
        truth = np.where(y[..., 1] > 0, y[..., 0], np.nan).ravel()
        z = z.reshape(-1, len(levels))
        moves = np.zeros(len(levels), np.float32)
        said = []
        for low in range(len(levels) // 2):
            high = len(levels) - 1 - low
            wanted = levels[high] - levels[low]
            ends = z[:, low], z[:, high], truth
            try:
                offset = intervals.conformal_offset(*ends, wanted)
            except ValueError as error:
                return np.zeros(len(levels), np.float32), f"intervals are left as learned: {error}"
            moves[low], moves[high] = -offset, offset
            said.append(f"{wanted:.0%} covered {intervals.coverage(*ends):.1%}")
        return moves, f"validation part, before the intervals were moved: {', '.join(said)}"
