"""Detects anomalies in streams: a network, its normaliser and its threshold in one object.

Residuals become one smoothed score a step, with each channel's part in it; scores become decisions,
with the same merging and cool-down as in `events`.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import residuals, score_stream, season_errors

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


States = dict[str, tf.Tensor]
ResidualStream = (
    residuals.ForecastResiduals | residuals.WindowResiduals | season_errors.ForecastsAndSeason
)


class Scores(NamedTuple):
    """Scores of some steps of each row.

    Attributes:
        scores: float32 (batch, time), 0 where there is none.
        contributions: float32 (batch, time, features), adding up to the score.
        residuals: float32 (batch, time, features), in deviations of the train part.
        valid: bool (batch, time), true if there is a score: some channel was observed, and the
            model expected something of it.
        season_errors: float32 (batch, time, scored), in deviations of the train part, NaN where the
            season before is not known; without columns where the season does not count.
    """

    scores: tf.Tensor
    contributions: tf.Tensor
    residuals: tf.Tensor
    valid: tf.Tensor
    season_errors: tf.Tensor


def residual_stream(network: keras.Model, config: configs.Config) -> ResidualStream:
    """Builds the residuals of a stream for the network's kind, and for what its scores are of."""
    if config.model.kind != "forecaster":
        return residuals.WindowResiduals(network, config.model.stride_steps)
    has_season = any(layer.name == "season" for layer in network.layers)
    if config.score.season_share and has_season:
        return season_errors.ForecastsAndSeason(network)
    return residuals.ForecastResiduals(network)


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
        normaliser: score_stream.Normaliser,
        threshold: float,
    ) -> None:
        self.residuals = residual_stream(network, config)
        self.scorer = score_stream.ScoreStream(normaliser, config.score, self.residuals.scored)
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
        scored = self.residuals.scored
        unscored = [[0, 0], [0, 0], [0, self.features - scored]]
        found = Scores(
            scores,
            tf.pad(contributions, unscored),
            tf.pad(residuals[..., :scored], unscored),
            tf.reduce_any(valid[..., :scored], axis=-1),
            tf.where(valid[..., scored:], residuals[..., scored:], np.nan),
        )
        return found, new
