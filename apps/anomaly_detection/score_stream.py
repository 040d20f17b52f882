"""Residuals of a stream become one score a step, and each channel's part in it."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import smoothing

_NORMAL = 1.4826  # deviation of a normal distribution, in median absolute deviations
_LEAST_SCALE = 0.01  # deviations of the train part: what is predicted better counts as rounding


class Normaliser(NamedTuple):
    """Where a channel's residuals usually lie, and how far they usually spread, [scored] each."""

    location: np.ndarray
    scale: np.ndarray


def fit_normaliser(residuals: np.ndarray, valid: np.ndarray) -> Normaliser:
    """Median and spread of validation residuals, both robust against anomalies among them.

    The spread is 1.4826 times the median absolute deviation; at least a tenth of the standard
    deviation, for a channel whose residuals are mostly 0, as those of a switch are; and at least a
    hundredth of the channel's own deviation in the train part, for one that hardly moves.

    Args:
        residuals, valid: float32 and bool [time, scored].
    """
    location, scale = np.zeros(residuals.shape[1]), np.full(residuals.shape[1], _LEAST_SCALE)
    for channel, (values, is_valid) in enumerate(zip(residuals.T, valid.T, strict=True)):
        usual = values[is_valid].astype(np.float64)
        if not len(usual):
            continue
        location[channel] = np.median(usual)
        apart = np.median(np.abs(usual - location[channel]))
        scale[channel] = max(_NORMAL * apart, 0.1 * usual.std(), _LEAST_SCALE)
    return Normaliser(location.astype(np.float32), scale.astype(np.float32))


class ScoreStream:
    """Scores of residuals, step by step or many steps at once.

        z_f = |residual_f - location_f| / scale_f
        s_f = exponentially smoothed z_f
        score = sqrt(mean of s_f²),  or the largest s_f
        contribution_f = score s_f² / Σ s²

    over the channels that are valid at the step; the contributions add up to the score. Without
    any valid channel both are 0.

    Args:
        normaliser: location and scale of each channel.
        config: aggregation, and reach of the smoothing.
    """

    def __init__(self, normaliser: Normaliser, config: configs.ScoreConfig) -> None:
        self.location = tf.constant(normaliser.location)
        self.scale = tf.constant(normaliser.scale)
        self.aggregation: Literal["root_mean_square", "maximum"] = config.aggregation
        self.reach_steps = config.smoothing_steps

    def initial_states(self, batch: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """Those before the first step, float32 (batch, 2, scored); see `smoothing.smooth`."""
        if self.reach_steps == 1:
            return {}
        return {"smoothed": tf.zeros((batch, 2, self.location.shape[0]))}

    def advance(
        self, residuals: tf.Tensor, valid: tf.Tensor, states: dict[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        """Scores and contributions of the next steps.

        Args:
            residuals, valid: float32 and bool (batch, time, scored).
            states: as `initial_states` or the last call returned them.

        Returns:
            Scores float32 (batch, time), contributions float32 (batch, time, scored), new states.
        """
        usual = tf.abs(residuals - self.location) / self.scale
        if self.reach_steps > 1:
            usual, last = smoothing.smooth(usual, valid, self.reach_steps, states["smoothed"])
            states = {"smoothed": last}
        usual = tf.where(valid, usual, 0.0)
        squares = usual**2
        total = tf.reduce_sum(squares, axis=-1)
        if self.aggregation == "maximum":
            scores = tf.reduce_max(usual, axis=-1)
        else:
            channels = tf.reduce_sum(tf.cast(valid, tf.float32), axis=-1)
            scores = tf.sqrt(tf.math.divide_no_nan(total, channels))
        shares = tf.math.divide_no_nan(squares, total[..., None])
        return scores, scores[..., None] * shares, states
