"""Scores of a stream become decisions, with the same merging and cool-down as `events`."""

from __future__ import annotations

import tensorflow as tf

_NEVER = 2**30  # steps since the last event, where there was none


def initial_states(batch: int | tf.Tensor) -> dict[str, tf.Tensor]:
    """Before the first step: `steps_since_event`, int32 (batch,)."""
    return {"steps_since_event": tf.fill([batch], _NEVER)}


def decide(
    is_over: tf.Tensor, merge_steps: int, cool_down_steps: int, states: dict[str, tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
    """Which steps belong to an event, and at which one begins.

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
    anomalies = tf.TensorArray(tf.bool, time, element_shape=[None])
    alarms = tf.TensorArray(tf.bool, time, element_shape=[None])

    def look(
        step: tf.Tensor, since: tf.Tensor, anomalies: tf.TensorArray, alarms: tf.TensorArray
    ) -> tuple:
        over = steps[step]
        goes_on = over & (since <= merge_steps)
        begins = over & (since > merge_steps) & (since >= cool_down_steps)
        is_anomaly = goes_on | begins
        since = tf.where(is_anomaly, 0, tf.minimum(since + 1, _NEVER))
        return step + 1, since, anomalies.write(step, is_anomaly), alarms.write(step, begins)

    _, since, anomalies, alarms = tf.while_loop(
        lambda step, *_: step < time,
        look,
        (tf.constant(0), states["steps_since_event"], anomalies, alarms),
    )
    return (
        tf.transpose(anomalies.stack()),
        tf.transpose(alarms.stack()),
        {"steps_since_event": since},
    )
