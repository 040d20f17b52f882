"""The mixture with the history is its equation, for any padding, in training as when served."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from apps.recommendation import config as configs
from apps.recommendation import training_model
from apps.recommendation.repeats import Repeats
from tests.apps.recommendation import small_run

ITEMS, UNITS, OLDEST = 9, 4, 3
DRAW = np.random.default_rng(0)
HISTORY = np.array([[4, 2, 4, 9, 1], [7, 0, 0, 0, 0], [5, 5, 0, 0, 0], [0, 0, 0, 0, 0]], np.int32)
SCORES = DRAW.normal(0, 2, (4, ITEMS)).astype(np.float32)
QUERIES = DRAW.normal(0, 1, (4, UNITS)).astype(np.float32)


@pytest.fixture
def layer():
    made = Repeats(UNITS, OLDEST)
    made.build()
    for weight in made.weights:
        weight.assign(np.random.default_rng(1).normal(0, 0.2, weight.shape))
    return made


def expected(layer, scores, query, history):
    """p of one row, by the equations."""
    gate, bias, ages = (weight.numpy() for weight in layer.weights)
    p = np.exp(scores) / np.exp(scores).sum()
    items = [code for code in history if code]
    if not items:
        return p
    share = 1 / (1 + np.exp(-(query @ gate + 10 * bias)))
    weights = np.exp([10 * ages[min(age, OLDEST - 1)] for age in range(len(items))][::-1])
    pointed = np.zeros(ITEMS)
    for weight, code in zip(weights / weights.sum(), items, strict=True):
        pointed[code - 1] += weight
    return (1 - share) * p + share * pointed


def test_it_is_its_equation_and_sums_to_one(layer):
    found = np.exp(layer(SCORES, QUERIES, tf.constant(HISTORY)).numpy())
    rows = zip(SCORES, QUERIES, HISTORY, strict=True)
    np.testing.assert_allclose(found, [expected(layer, *row) for row in rows], rtol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


def test_zeros_anywhere_change_nothing(layer):
    plain = layer(SCORES, QUERIES, tf.constant(HISTORY)).numpy()
    for places in ((0, 0), (2, 4), (5, 5)):
        padded = np.insert(HISTORY, places, 0, axis=1)
        np.testing.assert_allclose(layer(SCORES, QUERIES, tf.constant(padded)), plain, atol=1e-5)


def test_training_mixes_at_each_step_as_the_served_model_at_the_last(layer):
    config = small_run.config(transitions=0, repeats=True, embedding_dropout=0.0, dropout=0.0)
    training = configs.TrainingConfig(batch_size=2, precision="float32")
    config = dataclasses.replace(config, training=training)
    network = small_run.built(config)
    made = training_model.NextItemTraining(network, config, small_run.COUNTS)
    history = np.array([[3, 1, 3, 8, 3], [7, 7, 2, 0, 0]], np.int32)
    targets = np.array([[1, 3, 8, 3, 1], [7, 2, 11, 0, 0]], np.int32)
    inputs = {"history": tf.constant(history)}
    found = float(made.compute_loss(inputs, tf.constant(targets), made(inputs, training=True)))
    nats = []
    for row, right in zip(history, targets, strict=True):
        for step in np.flatnonzero(right):
            logs = network(row[None, : step + 1], training=False).numpy()[0]
            nats.append(-logs[right[step] - 1])
    assert found == pytest.approx(np.mean(nats), rel=1e-4)


def test_every_weight_has_a_finite_gradient_where_nothing_repeats(layer):
    with tf.GradientTape() as tape:
        loss = layer.mixed_loss(tf.constant([2.0, 80.0]), QUERIES[:2], tf.zeros(2))
    weights = [layer.gate.value, layer.gate_bias.value]
    for slope in tape.gradient(loss, weights):
        assert np.isfinite(slope).all()


def test_losses_that_are_no_softmax_are_refused():
    model = configs.ModelConfig(repeats=True)
    for settings in ({"loss": "bpr_max"}, {"label_smoothing": 0.1}):
        with pytest.raises(ValueError, match=r"model\.repeats needs a softmax loss"):
            configs.Config(model=model, training=configs.TrainingConfig(**settings))
