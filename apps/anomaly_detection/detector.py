"""Detects anomalies in streams: a network, its normaliser and its threshold in one object.

Residuals become one smoothed score a step, with each channel's part in it; scores become decisions,
with the same merging and cool-down as in `events`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import residuals

_LONG_AGO = 2**30


def initial_decision_states(batch: int | tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the state before the first step: `last_event`, int32 (batch,), zeros.

    0 means that there was no event yet; otherwise it is the number of steps since the last step of
    an event, 1 for the step just before the next one.
    """
    return {"last_event": tf.zeros([batch], tf.int32)}


def decide(
    is_over: tf.Tensor, merge_steps: int, cool_down_steps: int, states: dict[str, tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
    """Marks the steps that belong to an event, and the steps at which one begins.

    Args:
        is_over: bool (batch, time), steps over the threshold.
        merge_steps, cool_down_steps: those of `events.from_flags`.
        states: as `initial_states` or the last call returned them.

    Returns:
        is_anomaly, bool (batch, time): over the threshold and not in a cool-down; alarm, of the
        same shape: the first step of each event; new states.
    """
    steps = tf.transpose(is_over)
    time = tf.shape(steps)[0]
    # One element more than steps, as an array without any cannot be stacked
    nothing = tf.zeros_like(states["last_event"], tf.bool)
    anomalies = tf.TensorArray(tf.bool, time + 1, element_shape=[None]).write(time, nothing)
    alarms = tf.TensorArray(tf.bool, time + 1, element_shape=[None]).write(time, nothing)

    def look(
        step: tf.Tensor, last: tf.Tensor, anomalies: tf.TensorArray, alarms: tf.TensorArray
    ) -> tuple:
        over, between = steps[step], last - 1
        goes_on = over & (last > 0) & (between <= merge_steps)
        begins = over & ~goes_on & ((last == 0) | (between >= cool_down_steps))
        is_anomaly = goes_on | begins
        later = tf.where(last == 0, 0, tf.minimum(last + 1, _LONG_AGO))
        last = tf.ensure_shape(tf.where(is_anomaly, 1, later), last.shape)
        return step + 1, last, anomalies.write(step, is_anomaly), alarms.write(step, begins)

    _, last, anomalies, alarms = tf.while_loop(
        lambda step, *_: step < time,
        look,
        (tf.constant(0), states["last_event"], anomalies, alarms),
    )
    return (
        tf.transpose(anomalies.stack()[:-1]),
        tf.transpose(alarms.stack()[:-1]),
        {"last_event": last},
    )


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
    sums = _recurrence(factors, terms, before)
    return tf.math.divide_no_nan(sums[:, :, 0], sums[:, :, 1]), _last(sums, before)


def _recurrence(factors: tf.Tensor, terms: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """Solves y_t = factors_t y_{t-1} + terms_t along axis 1, in log2(time) passes.

    A pass joins each step's map with that of the step 1, 2, 4, … before it.
    """
    time = tf.shape(terms)[1]

    def join(reach: tf.Tensor, factors: tf.Tensor, terms: tf.Tensor) -> tuple:
        earlier = tf.pad(terms[:, :-reach], [[0, 0], [reach, 0], [0, 0], [0, 0]])
        terms += factors * earlier
        pad = [[0, 0], [reach, 0], [0, 0], [0, 0]]
        factors *= tf.pad(factors[:, :-reach], pad, constant_values=1.0)
        return 2 * reach, factors, terms

    free = tf.TensorShape([None, None, None, None])
    _, factors, terms = tf.while_loop(
        lambda reach, *_: reach < time,
        join,
        (tf.constant(1), factors, terms),
        shape_invariants=(tf.TensorShape([]), free, free),
    )
    return terms + factors * before[:, None]


def _last(sums: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """Returns the state after the last step; of no steps, the state before."""
    return tf.concat([before[:, None], sums], axis=1)[:, -1]


_NORMAL = 1.4826  # deviation of a normal distribution, in median absolute deviations
_LEAST_SCALE = 0.01  # deviations of the train part; smaller errors count as rounding


class Normaliser(NamedTuple):
    """Centre and spread of each channel's usual residuals, [scored] each."""

    location: np.ndarray
    scale: np.ndarray


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
        """Returns the states before the first step, float32 (batch, 2, scored); see `smooth`."""
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
            usual, last = smooth(usual, valid, self.reach_steps, states["smoothed"])
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


States = dict[str, tf.Tensor]
ResidualStream = residuals.ForecastResiduals | residuals.WindowResiduals


class Scores(NamedTuple):
    """Scores of some steps of each row.

    Attributes:
        scores: float32 (batch, time), 0 where there is none.
        contributions: float32 (batch, time, features), adding up to the score.
        residuals: float32 (batch, time, features), in deviations of the train part.
        valid: bool (batch, time), true if there is a score: some channel was observed, and the
            model expected something of it.
    """

    scores: tf.Tensor
    contributions: tf.Tensor
    residuals: tf.Tensor
    valid: tf.Tensor


def residual_stream(network: keras.Model, config: configs.ModelConfig) -> ResidualStream:
    """Builds the residuals of a stream for the network's kind."""
    if config.kind == "forecaster":
        return residuals.ForecastResiduals(network)
    return residuals.WindowResiduals(network, config.stride_steps)


class Detector:
    """Reads rows of steps, any number at a time, with its memory in explicit states.

    Many steps in one call and one step in each of many calls give the same. Channels that are only
    read have residuals and contributions of 0.

    Args:
        network: of `model.build_network`.
        config: of the run.
        normaliser: of the residuals.
        threshold: of the scores.

    Attributes:
        steps_behind: number of steps by which answers lag behind a stream.
        features: channels that are read.
        compiled: `advance` as a graph.
    """

    def __init__(
        self,
        network: keras.Model,
        config: configs.Config,
        normaliser: Normaliser,
        threshold: float,
    ) -> None:
        self.residuals = residual_stream(network, config.model)
        self.scorer = ScoreStream(normaliser, config.score)
        self.threshold = threshold
        self.event_settings = config.events
        self.steps_behind = self.residuals.steps_behind
        self.features = self.residuals.features
        # Retraced for new shapes at most twice: then batch and time are free.
        self.compiled = tf.function(self.advance, autograph=False, reduce_retracing=True)

    def initial_states(self, batch: int | tf.Tensor) -> States:
        """Returns the states before the first step of a stream, by name, (batch, …)."""
        return {
            **self.residuals.initial_states(batch),
            **self.scorer.initial_states(batch),
            **initial_decision_states(batch),
        }

    def advance(
        self,
        values: tf.Tensor,
        observed: tf.Tensor,
        states: States,
        present: tf.Tensor | None = None,
    ) -> tuple[Scores, States]:
        """Returns scores of the next steps of each row, `steps_behind` before them.

        Args:
            values: float32 (batch, time, features), in the units of the data.
            observed: bool, of the same shape; values at other places are not used.
            states: as `initial_states` or the last call returned them.
            present: bool (batch, time), false after the end of a row; None if all are present.
        """
        residuals, valid, new = self.residuals.advance(values, observed, states, present)
        scores, scored = self._score(residuals, valid, states)
        return scores, {**states, **new, **scored}

    def remaining(self, states: States) -> Scores:
        """Scores of the `steps_behind` last steps, should no more come."""
        return self._score(*self.residuals.remaining(states), states)[0]

    def whole(self, values: tf.Tensor, observed: tf.Tensor) -> Scores:
        """Scores of all steps of whole series, in place."""
        ahead, states = self.advance(values, observed, self.initial_states(tf.shape(values)[0]))
        behind = self.remaining(states)
        joined = [tf.concat(pair, axis=1) for pair in zip(ahead, behind, strict=True)]
        return Scores(*(each[:, self.steps_behind :] for each in joined))

    def decide(self, scores: tf.Tensor, states: States) -> tuple[tf.Tensor, tf.Tensor, States]:
        """Returns is_anomaly and alarm of the next scores, bool (batch, time); see `decide`."""
        settings = self.event_settings
        is_anomaly, alarm, new = decide(
            scores > self.threshold, settings.merge_steps, settings.cool_down_steps, states
        )
        return is_anomaly, alarm, {**states, **new}

    def _score(
        self, residuals: tf.Tensor, valid: tf.Tensor, states: States
    ) -> tuple[Scores, States]:
        scores, contributions, new = self.scorer.advance(residuals, valid, states)
        unscored = [[0, 0], [0, 0], [0, self.features - residuals.shape[-1]]]
        found = Scores(
            scores,
            tf.pad(contributions, unscored),
            tf.pad(residuals, unscored),
            tf.reduce_any(valid, axis=-1),
        )
        return found, new
