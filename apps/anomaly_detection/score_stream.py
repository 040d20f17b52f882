"""Makes one score a step of residuals, with each channel's part in it, and fits what is usual."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf

from apps.anomaly_detection import config as configs
from apps.suite.networks import streaming


def smooth(
    values: tf.Tensor, valid: tf.Tensor, reach_steps: float, before: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the weighted mean of all values so far; weights fall by 1 - 1 / reach a step.

        sum_t    = d sum_{t-1}    + value_t
        weight_t = d weight_{t-1} + 1           d = 1 - 1 / reach_steps
        smooth_t = sum_t / weight_t

    The first value is its own mean: nothing starts from 0. A value that is not valid changes
    neither.

    Args:
        values: float32 (batch, time, channels).
        valid: bool, of the same shape.
        reach_steps: mean age of a value in the mean, and 1 more; 1 changes nothing.
        before: float32 (batch, 2, channels), sum and weight; zeros at the start of a stream.

    Returns:
        The smoothed values, 0 before the first valid one, and the `before` of what follows.
    """
    decay = 1.0 - 1.0 / reach_steps
    factors = tf.where(valid, decay, 1.0)[:, :, None, :]
    terms = tf.stack([tf.where(valid, values, 0.0), tf.cast(valid, values.dtype)], axis=2)
    sums = streaming.linear_recurrence(factors, terms, before)
    return tf.math.divide_no_nan(sums[:, :, 0], sums[:, :, 1]), _last(sums, before)


def _last(sums: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """Returns the state after the last step; of no steps, the state before."""
    return tf.concat([before[:, None], sums], axis=1)[:, -1]


_NORMAL = 1.4826  # deviation of a normal distribution, in median absolute deviations
_LEAST_SCALE = 0.01  # deviations of the train part; smaller errors count as rounding


_NOTHING = np.zeros(0, np.float32)


class Normaliser(NamedTuple):
    """Usual residuals of each channel, and the usual level of scores, float32.

    Attributes:
        location, scale: centre and spread of the usual residuals, [scored]; after them those of the
            errors of the season, where they count.
        alone: [scored], factor of a residual where the season before is not known; else empty.
        level: mean of the scores, and the highest that counts in it, [2]; else empty.
    """

    location: np.ndarray
    scale: np.ndarray
    alone: np.ndarray = _NOTHING
    level: np.ndarray = _NOTHING


def fit_normaliser(residuals: np.ndarray, valid: np.ndarray) -> Normaliser:
    """Fits median and spread of validation residuals, both robust against anomalies among them.

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


_HIGH = 0.99  # quantile at which scores are compared, and above which they count as that high


def fit_alone(
    normaliser: Normaliser, residuals: np.ndarray, valid: np.ndarray, share: float
) -> np.ndarray:
    """Fits the factor that makes a residual alone as high as joined with the season's error.

    It is the ratio of their 0.99 quantiles, float32 [scored]; 1 for a channel without any error of
    the season.

    Args:
        normaliser: location and scale.
        residuals, valid: float32 and bool [time, 2 scored].
        share: of the season's error.
    """
    scored = residuals.shape[1] // 2
    usual = np.abs(residuals - normaliser.location) / normaliser.scale
    alone = np.ones(scored, np.float32)
    for channel in range(scored):
        both = valid[:, channel] & valid[:, scored + channel]
        own, season = usual[both, channel], usual[both, scored + channel]
        if len(own) and (high := float(np.quantile(own, _HIGH))) > 0:
            joined = own ** (1 - share) * season**share
            alone[channel] = float(np.quantile(joined, _HIGH)) / high
    return alone


def fit_level(scores: np.ndarray) -> np.ndarray:
    """Fits the usual level of scores [time]: their mean, cut at their 0.99 quantile, and that one.

    Returns float32 [2], empty if all scores are 0.
    """
    highest = float(np.quantile(scores, _HIGH))
    mean = float(np.minimum(scores, highest).mean(dtype=np.float64))
    return np.array([mean, highest], np.float32) if mean > 0 else _NOTHING


class ScoreStream:
    """Scores of residuals, step by step or many steps at once.

        z_f = |residual_f - location_f| / scale_f
        s_f = exponentially smoothed z_f;  with errors of the season, of normalised size c_f:
              s_f^(1 - share) c_f^share,  or  alone_f s_f  where c_f is not known
        score = sqrt(mean of s_f²),  or the largest s_f
        contribution_f = score s_f² / Σ s²

    over the channels that are valid at the step; the contributions add up to the score. Without
    any valid channel both are 0. With a level, both are divided by how far the scores before have
    been above the usual:

        m_t = m_{t-1} + (min(score_t, highest) - m_{t-1}) / level_steps,  m_0 = mean
        score_t / max(1, m_{t-1} / mean)

    Args:
        normaliser: location and scale of each channel; `alone` and `level` where they count.
        config: aggregation, reach of smoothing and level, and share of the season.
        scored: number of channels; half of the normaliser's where the season counts.
    """

    def __init__(
        self, normaliser: Normaliser, config: configs.ScoreConfig, scored: int | None = None
    ) -> None:
        self.location = tf.constant(normaliser.location)
        self.scale = tf.constant(normaliser.scale)
        self.scored = len(normaliser.scale) if scored is None else scored
        self.share = config.season_share if len(normaliser.scale) > self.scored else 0.0
        alone = normaliser.alone if len(normaliser.alone) else np.ones(self.scored, np.float32)
        self.alone = tf.constant(alone)
        self.aggregation: Literal["root_mean_square", "maximum"] = config.aggregation
        self.reach_steps = config.smoothing_steps
        self.level_steps = config.level_steps
        # Without a level, of which nothing is known before a calibration
        self.level = tuple(normaliser.level.tolist()) if config.level_steps else ()

    def initial_states(self, batch: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the states before the first step, zeros.

        `smoothed` is float32 (batch, 2, scored), see `smooth`; `score_level` float32 (batch, 1, 1),
        the mean of the scores less the usual one.
        """
        states = {}
        if self.reach_steps > 1:
            states["smoothed"] = tf.zeros((batch, 2, self.scored))
        if self.level_steps:
            states["score_level"] = tf.zeros((batch, 1, 1))
        return states

    def advance(
        self, residuals: tf.Tensor, valid: tf.Tensor, states: dict[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        """Scores and contributions of the next steps.

        Args:
            residuals, valid: float32 and bool (batch, time, scored), or twice as many columns with
                the errors of the season.
            states: as `initial_states` or the last call returned them.

        Returns:
            Scores float32 (batch, time), contributions float32 (batch, time, scored), new states.
        """
        normal = tf.abs(residuals - self.location) / self.scale
        usual, valid, known = (
            normal[..., : self.scored],
            valid[..., : self.scored],
            valid[..., self.scored :],
        )
        new = {}
        if self.reach_steps > 1:
            usual, last = smooth(usual, valid, self.reach_steps, states["smoothed"])
            new["smoothed"] = last
        if self.share:
            both = usual ** (1 - self.share) * normal[..., self.scored :] ** self.share
            usual = tf.where(known, both, self.alone * usual)
        usual = tf.where(valid, usual, 0.0)
        squares = usual**2
        total = tf.reduce_sum(squares, axis=-1)
        if self.aggregation == "maximum":
            scores = tf.reduce_max(usual, axis=-1)
        else:
            channels = tf.reduce_sum(tf.cast(valid, tf.float32), axis=-1)
            scores = tf.sqrt(tf.math.divide_no_nan(total, channels))
        if self.level_steps:
            counts = tf.reduce_any(valid, axis=-1)
            scores, new["score_level"] = self._levelled(scores, counts, states["score_level"])
        shares = tf.math.divide_no_nan(squares, total[..., None])
        return scores, scores[..., None] * shares, new

    def _levelled(
        self, scores: tf.Tensor, counts: tf.Tensor, before: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the scores divided by the level of those before, and the new state."""
        if not self.level:
            return scores, before
        mean, highest = self.level
        above = (tf.minimum(scores, highest) - mean) / self.level_steps
        factors = tf.where(counts, 1 - 1 / self.level_steps, 1.0)[:, :, None, None]
        terms = tf.where(counts, above, 0.0)[:, :, None, None]
        sums = streaming.linear_recurrence(factors, terms, before)
        levels = tf.concat([before[:, None], sums], axis=1)
        height = tf.maximum(1.0, 1.0 + levels[:, :-1, 0, 0] / mean)
        return scores / height, levels[:, -1]
