"""The decisions of a stream are the events of the whole series."""

import numpy as np
import pytest
import tensorflow as tf

from apps.anomaly_detection import detector, events


@pytest.mark.parametrize("merge", [0, 2])
@pytest.mark.parametrize("cool_down", [0, 1, 7])
@pytest.mark.parametrize("steps", [200, 1, 23])
def test_they_are_those_of_events_however_the_stream_is_cut(merge, cool_down, steps):
    is_over = np.random.default_rng(0).random((5, 200)) < np.array([[0], [0.02], [0.2], [0.6], [1]])
    states, anomalies, alarms = detector.initial_decision_states(5), [], []
    for start in range(0, 200, steps):
        part = tf.constant(is_over[:, start : start + steps])
        is_anomaly, alarm, states = detector.decide(part, merge, cool_down, states)
        anomalies.append(is_anomaly)
        alarms.append(alarm)
    anomalies, alarms = np.concatenate(anomalies, axis=1), np.concatenate(alarms, axis=1)
    for row in range(5):
        expected = events.intervals(is_over[row], merge, cool_down)
        assert np.flatnonzero(alarms[row]).tolist() == [start for start, _ in expected]
        wanted = np.zeros(200, bool)
        for start, end in expected:
            wanted[start:end] = is_over[row, start:end]
        np.testing.assert_array_equal(anomalies[row], wanted)


def test_the_first_step_of_a_stream_may_be_an_alarm_in_spite_of_the_cool_down():
    is_anomaly, alarm, _ = detector.decide(
        tf.constant([[True]]), 0, 100, detector.initial_decision_states(1)
    )
    assert is_anomaly.numpy().all()
    assert alarm.numpy().all()


def test_no_step_at_all_decides_nothing_and_changes_no_state():
    before = {"last_event": tf.constant([0, 3])}
    is_anomaly, alarm, after = detector.decide(tf.zeros((2, 0), tf.bool), 0, 1, before)
    assert is_anomaly.shape == alarm.shape == (2, 0)
    np.testing.assert_array_equal(after["last_event"], before["last_event"])
