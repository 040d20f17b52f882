"""Steps of a stream are pooled as the whole sequence up to each of them, by a small graph."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.suite.networks import step_summary

WIDTH = 3


def summary(kind):
    keras.utils.set_random_seed(1)
    layer = step_summary.StepSummary(kind)
    layer.build((None, None, WIDTH))
    return layer


@pytest.mark.parametrize("kind", ["mean", "max", "attention", "mean_max"])
@pytest.mark.parametrize("chunks", [[17], [1, 16], [5, 5, 7], [1] * 17])
def test_each_step_is_answered_as_the_sequence_up_to_it(kind, chunks):
    layer, draw = summary(kind), np.random.default_rng(3)
    values = draw.normal(size=(2, 17, WIDTH)).astype(np.float32)
    counted = draw.random((2, 17)) < 0.7
    states, found, at = layer.initial_states(2), [], 0
    for length in chunks:
        part = slice(at, at + length)
        said, states = layer.advance(values[:, part], counted[:, part], states)
        found.append(said)
        at += length
    expected = [layer(values[:, :end], counted[:, :end]) for end in range(1, 18)]
    np.testing.assert_allclose(np.concatenate(found, 1), np.stack(expected, 1), atol=1e-5)


def test_the_highest_value_so_far_is_numpys_for_any_number_of_steps():
    layer, draw = summary("max"), np.random.default_rng(4)
    for steps in range(1, 12):
        values = draw.normal(size=(2, steps, WIDTH)).astype(np.float32)
        found, _ = layer.advance(values, np.ones((2, steps), bool), layer.initial_states(2))
        np.testing.assert_array_equal(found, np.maximum.accumulate(values, axis=1))


@pytest.mark.parametrize("kind", ["max", "mean_max", "attention"])
def test_a_graph_for_any_number_of_steps_has_few_operations(kind):
    layer = summary(kind)

    def advance(values, counted):
        return layer.advance(values, counted, layer.initial_states(tf.shape(values)[0]))[0]

    specs = tf.TensorSpec([None, None, WIDTH]), tf.TensorSpec([None, None], tf.bool)
    graph = tf.function(advance, autograph=False).get_concrete_function(*specs).graph.as_graph_def()
    nodes = len(graph.node) + sum(len(function.node_def) for function in graph.library.function)
    assert nodes < 300
