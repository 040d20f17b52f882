"""A step learns at the steps that have a target, from each row's own past alone."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from apps.recommendation import config as configs
from apps.recommendation import model, training_model
from apps.suite.training import optimizer
from tests.apps.recommendation import small_run

HISTORY = np.array([[3, 1, 9, 4], [7, 7, 0, 0], [5, 0, 0, 0]], np.int32)
TARGETS = np.array([[1, 9, 4, 2], [7, 8, 0, 0], [0, 0, 0, 0]], np.int32)


def learner(**settings):
    layer = settings.pop("layer", "gru")
    config = small_run.config(transitions=0, layer=layer, embedding_dropout=0.0, dropout=0.0)
    training = configs.TrainingConfig(
        **{"batch_size": 3, "precision": "float32", "negatives": 16, **settings}
    )
    config = dataclasses.replace(config, training=training)
    network = small_run.built(config)
    made = training_model.NextItemTraining(network, config, small_run.COUNTS)
    made.compile(optimizer.optimizer(training), jit_compile=False)
    return made


def loss(made, history=HISTORY, targets=TARGETS, **inputs):
    inputs = {"history": tf.constant(history), **inputs}
    outputs = made(inputs, training=False)
    return float(made.compute_loss(inputs, tf.constant(targets), outputs))


def test_the_loss_is_that_of_the_saved_model_asked_step_by_step():
    made = learner()
    nats = []
    for row, targets in zip(HISTORY, TARGETS, strict=True):
        for step in np.flatnonzero(targets):
            scores = made.network(row[None, : step + 1], training=False).numpy()[0]
            nats.append(np.log(np.exp(scores).sum()) - scores[targets[step] - 1])
    assert loss(made) == pytest.approx(np.mean(nats), rel=1e-4)


@pytest.mark.parametrize("name", ["full_softmax", "sampled_softmax", "bpr_max", "top1_max"])
@pytest.mark.filterwarnings("ignore:.*sparse IndexedSlices.*:UserWarning")
def test_every_loss_falls_in_training(name):
    made = learner(loss=name, learning_rate=0.03, warmup_fraction=0.0)
    inputs, targets = {"history": tf.constant(HISTORY)}, tf.constant(TARGETS)
    values = []
    for _ in range(12):
        with tf.GradientTape() as tape:
            value = made.compute_loss(inputs, targets, made(inputs, training=True))
        weights = [weight.value for weight in made.trainable_variables]
        made.optimizer.apply(tape.gradient(value, weights), made.trainable_variables)
        values.append(float(value))
    assert np.mean(values[-3:]) < 0.8 * np.mean(values[:3])


def test_padding_and_empty_rows_change_neither_loss_nor_gradient():
    found = []
    for width, rows in ((4, 3), (7, 3), (4, 2)):
        made = learner()
        pad = [(0, 0), (0, width - 4)]
        history, targets = (np.pad(each, pad)[:rows] for each in (HISTORY, TARGETS))
        with tf.GradientTape() as tape:
            inputs = {"history": tf.constant(history)}
            value = made.compute_loss(inputs, tf.constant(targets), made(inputs, training=True))
        weights = [weight.value for weight in made.trainable_variables]
        found.append([value, *map(tf.convert_to_tensor, tape.gradient(value, weights))])
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_allclose(one, same, rtol=1e-4, atol=1e-6)


def test_training_reads_a_history_as_the_served_model_does():
    """In training nothing is masked, for speed: behind the items stands nothing that is asked."""
    made = learner()
    layers = model.layers_of(made.network)
    masked, _ = model.recurrent_outputs(layers, tf.constant(HISTORY), training=False)
    plain, _ = model.recurrent_outputs(layers, tf.constant(HISTORY), training=True)
    inside = HISTORY > 0
    np.testing.assert_allclose(plain.numpy()[inside], masked.numpy()[inside], atol=1e-5)


@pytest.mark.parametrize("layer", ["gru", "lstm", "peephole_lstm"])
def test_windows_that_carry_their_state_read_as_the_whole_history(layer):
    made = learner(batches="session_parallel", layer=layer)
    going_on, fresh = tf.constant([False] * 3), tf.constant([True] * 3)
    history = np.random.default_rng(0).integers(1, 40, (3, 8)).astype(np.int32)
    whole = made({"history": tf.constant(history), "fresh": fresh}).numpy()
    first = made({"history": tf.constant(history[:, :5]), "fresh": fresh}).numpy()
    second = made({"history": tf.constant(history[:, 5:]), "fresh": going_on}).numpy()
    np.testing.assert_allclose(np.concatenate([first, second], 1), whole, atol=1e-5)


@pytest.mark.parametrize("layer", ["gru", "lstm", "peephole_lstm"])
def test_a_row_that_is_reset_starts_from_a_fresh_state_and_the_others_go_on(layer):
    made = learner(batches="session_parallel", layer=layer)
    draw = np.random.default_rng(1)
    before, after = (tf.constant(draw.integers(1, 40, (3, 4)), tf.int32) for _ in range(2))
    made({"history": before, "fresh": tf.constant([True] * 3)})
    going_on = made({"history": after, "fresh": tf.constant([False] * 3)}).numpy()
    made({"history": before, "fresh": tf.constant([True] * 3)})
    found = made({"history": after, "fresh": tf.constant([False, True, False])}).numpy()
    new = learner(batches="session_parallel", layer=layer)
    fresh = new({"history": after, "fresh": tf.constant([False] * 3)}).numpy()
    np.testing.assert_allclose(found[1], fresh[1], atol=1e-6)
    np.testing.assert_allclose(found[[0, 2]], going_on[[0, 2]], atol=1e-6)
    assert np.abs(going_on[1] - fresh[1]).max() > 1e-3


def test_negatives_are_drawn_anew_at_each_step_and_the_same_again_with_the_seed():
    one, other = (learner(loss="top1_max") for _ in range(2))  # both of seed 0
    found = [[loss(made), loss(made)] for made in (one, other)]
    assert found[0][0] != found[0][1]
    assert found[0] == found[1]


def test_accidental_hits_do_not_reach_the_loss():
    """The most popular item is drawn again and again; the loss is still about the exact one."""
    made = learner(loss="sampled_softmax", negatives=2000)
    targets = np.array([[1, 0, 0, 0]], np.int32)
    value = loss(made, HISTORY[:1], targets)
    scores = made.network(HISTORY[:1, :1], training=False).numpy()[0]
    exact = np.log(np.exp(scores).sum()) - scores[targets[0, 0] - 1]
    assert value == pytest.approx(exact, abs=0.25)
