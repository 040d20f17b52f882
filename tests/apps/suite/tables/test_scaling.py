"""What stands in for missing values depends on the past alone, however a stream is cut."""

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.tables import scaling

MEAN = np.array([1.0, 2.0, 3.0], np.float32)


def drawn(rows=4, time=17, seed=0):
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(rows, time, 3)).astype(np.float32)
    observed = draw.random(values.shape) < 0.4
    observed[0, :, 1] = False
    observed[1] = True
    values[~observed] = np.nan
    return values, observed


def by_hand(values, observed):
    filled = np.empty_like(values)
    held = np.tile(MEAN, (len(values), 1))
    for step in range(values.shape[1]):
        held = np.where(observed[:, step], values[:, step], held)
        filled[:, step] = held
    return filled


def fill(values, observed, states):
    return scaling.fill_gaps(tf.constant(values), tf.constant(observed), tf.constant(MEAN), states)


def test_the_last_value_of_a_channel_is_held_and_before_it_the_mean():
    values, observed = drawn()
    filled, _ = fill(values, observed, scaling.initial_gap_states(4, 3))
    np.testing.assert_array_equal(filled, by_hand(values, observed))


@pytest.mark.parametrize("steps", [1, 5, 16])
def test_chunks_give_what_the_whole_gives(steps):
    values, observed = drawn()
    states, parts = scaling.initial_gap_states(4, 3), []
    for start in range(0, 17, steps):
        part = slice(start, start + steps)
        filled, states = fill(values[:, part], observed[:, part], states)
        parts.append(filled)
    np.testing.assert_array_equal(tf.concat(parts, axis=1), by_hand(values, observed))


def test_no_steps_change_nothing():
    values, observed = drawn()
    _, states = fill(values, observed, scaling.initial_gap_states(4, 3))
    filled, after = fill(values[:, :0], observed[:, :0], states)
    assert filled.shape == (4, 0, 3)
    for name, state in states.items():
        np.testing.assert_array_equal(after[name], state)
