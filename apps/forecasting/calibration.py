"""Looks at the validation part: which weights are best, and how wide the intervals have to be."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from apps.forecasting import config as configs
from apps.forecasting import data, forecaster
from apps.forecasting import model as models
from apps.suite.evaluation import intervals
from apps.suite.networks import quantiles as quantile_functions
from apps.suite.panels import layout as layouts
from apps.suite.panels import panel as panels

_MOST_ROWS = 1_024  # windows that are looked at, spread evenly over all
_BATCH = 256
_MOST_SHARES, _LEAST_SHARES = 256, 20  # windows that show how steps go together
_MOST_FAR, _FAR_ROWS = 256, 32  # windows that are followed beyond the trained horizon; at a time


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
        self.panel, self.rows = panel, rows
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

    def calibrated(
        self, network: keras.Model, layout: layouts.Layout
    ) -> tuple[forecaster.Calibration, str]:
        """Returns what makes the quantiles of a trained network honest, and words on it."""
        found = forecaster.uncalibrated(self.config)
        z, truth = self._said(network)
        flat = z.reshape(-1, z.shape[-1])
        try:
            offsets, said = intervals.moves(flat, truth.ravel(), self.config.forecast.levels)
        except ValueError as error:
            return found, f"intervals are left as learned: {error}"
        found = found._replace(offsets=offsets)
        if self.config.model.kind == "direct":
            whole = np.flatnonzero(np.isfinite(truth).all(axis=1))
            whole = whole[:: -(-len(whole) // _MOST_SHARES) or 1]
            if len(whole) >= _LEAST_SHARES:
                quantiles = np.sort(z[whole] + offsets, axis=-1).reshape(-1, z.shape[-1])
                levels = self.config.forecast.levels
                shares = quantile_functions.levels_of(truth[whole].ravel(), quantiles, levels)
                found = found._replace(shares=shares.reshape(len(whole), -1))
        said = f"validation part, before the intervals were moved: {said}"
        try:
            stretches, more = self._stretches(network, layout, found)
        except ValueError as error:
            return found, f"{said}; beyond the trained horizon they are left as found: {error}"
        return found._replace(stretches=stretches), f"{said}; {more}"

    def _said(self, network: keras.Model) -> tuple[np.ndarray, np.ndarray]:
        """Returns quantiles of z [windows, horizon, levels], and z of the truth, NaN if missing."""
        horizon = self.config.forecast.horizon_steps
        z = np.concatenate(
            [
                models.answer(network, found, inputs[-1], self.config).numpy()[..., 1:]
                for inputs, _, found in self.batches
            ]
        )
        y = np.concatenate([targets[:, -horizon:].numpy() for _, targets, _ in self.batches])
        return z, np.where(y[..., 1] > 0, y[..., 0], np.nan)

    def _stretches(
        self, network: keras.Model, layout: layouts.Layout, found: forecaster.Calibration
    ) -> tuple[np.ndarray, str]:
        """Returns factors on the distance of quantiles from the median, and words on them.

        They are those by which the second horizon has to be stretched to cover what it says, when
        it lies in the validation part. The first then lies there, too, or at the end of training.
        """
        levels, horizon = self.config.forecast.levels, self.config.forecast.horizon_steps
        panel, rows = self.panel, list(dict.fromkeys(
            (at, origin - horizon) for at, origin, _ in self.rows if origin > horizon
        ))  # fmt: skip
        rows = rows[:: -(-len(rows) // _MOST_FAR) or 1]
        if not rows:
            raise ValueError("no series is long enough for two horizons")
        ask = forecaster.Forecaster(network, self.config, layout, found).forecast
        z, truths = [], []
        for start in range(0, len(rows), _FAR_ROWS):
            window = data.histories(panel, layout, self.config, rows[start : start + _FAR_ROWS], 2)
            truths.append(window.pop("truth")[:, horizon:])
            _, quantiles = ask(window, tf.constant(2 * horizon))
            z.append(quantiles.numpy()[:, horizon:])
        quantiles = np.concatenate(z).reshape(-1, len(levels))
        truth = np.concatenate(truths).ravel()
        if self.config.model.log:  # they are stretched before they are the data's own
            quantiles, truth = np.log(quantiles), np.log(truth)
        stretches, said = intervals.stretches(quantiles, truth, levels)
        return stretches, f"in the horizon after the trained one: {said}"
