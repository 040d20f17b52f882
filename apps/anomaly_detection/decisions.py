"""Scores of a stream become decisions, with the same merging and cool-down as `events`."""

from __future__ import annotations

import tensorflow as tf

_LONG_AGO = 2**30


def initial_states(batch: int | tf.Tensor) -> dict[str, tf.Tensor]:
    """Before the first step: `last_event`, int32 (batch,), zeros.

    0 says that there was no event yet; else the last step that belonged to one was so many steps
    ago, the step before the next one being 1.
    """
    return {"last_event": tf.zeros([batch], tf.int32)}


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
