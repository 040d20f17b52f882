"""A network, its normaliser and its threshold as one thing that reads streams and decides."""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import decisions, forecast_residuals, score_stream, window_residuals

States = dict[str, tf.Tensor]
ResidualStream = forecast_residuals.ForecastResiduals | window_residuals.WindowResiduals


class Scores(NamedTuple):
    """Of some steps of each row.

    Attributes:
        scores: float32 (batch, time), 0 where there is none.
        contributions: float32 (batch, time, features), adding up to the score.
        residuals: float32 (batch, time, features), in deviations of the train part.
        valid: bool (batch, time), whether there is a score: some channel was observed, and the
            model had something to say of it.
    """

    scores: tf.Tensor
    contributions: tf.Tensor
    residuals: tf.Tensor
    valid: tf.Tensor


def residual_stream(network: keras.Model, config: configs.ModelConfig) -> ResidualStream:
    """How the network's kind makes residuals of a stream."""
    if config.kind == "forecaster":
        return forecast_residuals.ForecastResiduals(network)
    return window_residuals.WindowResiduals(network, config.stride_steps)


class Detector:
    """Reads rows of steps, any number at a time, with all it remembers in explicit states.

    Many steps in one call and one step in each of many calls give the same. Channels that are only
    read have residuals and contributions of 0.

    Args:
        network: of `model.build_network`.
        config: of the run.
        normaliser: of the residuals.
        threshold: of the scores.

    Attributes:
        steps_behind: what comes out of a stream is of so many steps before.
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
        self.residuals = residual_stream(network, config.model)
        self.scorer = score_stream.ScoreStream(normaliser, config.score)
        self.threshold = threshold
        self.event_settings = config.events
        self.steps_behind = self.residuals.steps_behind
        self.features = self.residuals.features
        # Retraced for new shapes at most twice: then batch and time are free.
        self.compiled = tf.function(self.advance, autograph=False, reduce_retracing=True)

    def initial_states(self, batch: int | tf.Tensor) -> States:
        """Those before the first step of a stream, by name, (batch, …)."""
        return {
            **self.residuals.initial_states(batch),
            **self.scorer.initial_states(batch),
            **decisions.initial_states(batch),
        }

    def advance(
        self,
        values: tf.Tensor,
        observed: tf.Tensor,
        states: States,
        present: tf.Tensor | None = None,
    ) -> tuple[Scores, States]:
        """Scores of the next steps of each row, `steps_behind` before them.

        Args:
            values: float32 (batch, time, features), in the units of the data.
            observed: bool, of the same shape; what stands at other places is not used.
            states: as `initial_states` or the last call returned them.
            present: bool (batch, time), false behind the end of a row; all are if it is None.
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
        """is_anomaly and alarm of the next scores, bool (batch, time); see `decisions.decide`."""
        settings = self.event_settings
        is_anomaly, alarm, new = decisions.decide(
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
