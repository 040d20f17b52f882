"""Exponential smoothing for all steps at once is that of one step after the other."""

import numpy as np
import pytest
import tensorflow as tf

from apps.anomaly_detection import score_stream


def by_hand(values, valid, reach):
    decay = 1 - 1 / reach
    total = weight = np.zeros((len(values), values.shape[2]))
    found = []
    for step in range(values.shape[1]):
        here = valid[:, step]
        total = np.where(here, decay * total + values[:, step], total)
        weight = np.where(here, decay * weight + 1, weight)
        found.append(np.divide(total, weight, out=np.zeros_like(total), where=weight > 0))
    return np.stack(found, axis=1)


def drawn(time=37):
    draw = np.random.default_rng(0)
    values = draw.exponential(size=(2, time, 3)).astype(np.float32)
    valid = draw.random(values.shape) < 0.7
    valid[0, :5] = False
    return values, valid


@pytest.mark.parametrize("reach", [1.0, 4.0, 50.0])
@pytest.mark.parametrize("steps", [37, 1, 8])
def test_it_is_the_recurrence_however_the_stream_is_cut(reach, steps):
    values, valid = drawn()
    before, parts = tf.zeros((2, 2, 3)), []
    for start in range(0, 37, steps):
        part = slice(start, start + steps)
        found, before = score_stream.smooth(
            tf.constant(values[:, part]), tf.constant(valid[:, part]), reach, before
        )
        parts.append(found)
    np.testing.assert_allclose(tf.concat(parts, axis=1), by_hand(values, valid, reach), rtol=1e-5)


def test_a_constant_stays_itself_from_its_first_step_on():
    found, _ = score_stream.smooth(
        tf.fill((1, 20, 1), 3.0), tf.fill((1, 20, 1), True), 30.0, tf.zeros((1, 2, 1))
    )
    np.testing.assert_allclose(found, 3.0, rtol=1e-6)


def test_weights_fall_by_the_same_share_at_each_step():
    values = np.zeros((1, 200, 1), np.float32)
    values[0, 100] = 1
    found, _ = score_stream.smooth(
        tf.constant(values), tf.fill((1, 200, 1), True), 5.0, tf.zeros((1, 2, 1))
    )
    after = found.numpy()[0, 100:110, 0]
    np.testing.assert_allclose(after, 0.2 * 0.8 ** np.arange(10), rtol=1e-4)
