"""Neither windows nor parts change what the whole batch learns from the whole text."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.suite.networks import sampling
from apps.text_generation import model
from tests.apps.text_generation import small_run

SIZE, ROWS, WINDOW = 9, 6, 4


def tokens(time=3 * WINDOW + 1):
    return tf.constant(np.random.default_rng(0).integers(0, SIZE, (ROWS, time)), tf.int32)


def built(parts=1, **sizes):
    made = model.build(small_run.config(batch_size=ROWS, **sizes), SIZE, parts)
    small_run.spread_weights(made)
    return made


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("layer", ["peephole_lstm", "gru"])
def test_windows_with_carried_states_are_the_whole_text(layer, parts):
    read = tokens()
    carried = built(parts, layer=layer)
    windows = [
        tf.concat(carried(read[:, start : start + WINDOW]), axis=0)
        for start in range(0, 3 * WINDOW, WINDOW)
    ]
    streaming = carried.streaming
    whole, *states = streaming([read[:, :-1], *sampling.initial_states(streaming, ROWS)])
    np.testing.assert_allclose(tf.concat(windows, 1), whole, atol=1e-5)
    for carried_state, state in zip(carried.states, states, strict=True):
        np.testing.assert_allclose(carried_state, state, atol=1e-5)


def test_the_loss_is_the_mean_over_all_tokens_and_its_gradient_that_of_the_whole_batch():
    read = tokens(WINDOW + 1)
    losses, gradients = [], []
    for parts in (1, 3):
        carried = built(parts)
        with tf.GradientTape() as tape:
            losses.append(carried.compute_loss(y=read[:, 1:], y_pred=carried(read[:, :-1])))
        weights = [weight.value for weight in carried.trainable_weights]
        gradients.append([tf.convert_to_tensor(g) for g in tape.gradient(losses[-1], weights)])
        logits = tf.concat(built(parts)(read[:, :-1]), axis=0)
        expected = keras.losses.sparse_categorical_crossentropy(read[:, 1:], logits, True)
        np.testing.assert_allclose(losses[-1], tf.reduce_mean(expected), rtol=1e-6)
    np.testing.assert_allclose(*losses, rtol=1e-6)
    for one, many in zip(*gradients, strict=True):
        assert np.abs(one).max() > 1e-4
        np.testing.assert_allclose(many, one, atol=1e-6)


def test_fit_reports_that_loss_and_lowers_it():
    carried = built(parts=2)
    carried.compile(keras.optimizers.Adam(0.05))
    read = tokens(WINDOW + 1)
    stream = tf.data.Dataset.from_tensors((read[:, :-1], read[:, 1:])).repeat()
    rows = carried.fit(stream, epochs=5, steps_per_epoch=5, shuffle=False, verbose=0).history[
        "loss"
    ]
    first = built(parts=2)
    expected = first.compute_loss(y=read[:, 1:], y_pred=first(read[:, :-1]))
    assert rows[-1] < 0.5 * float(expected)
    assert rows[0] < 1.2 * float(expected)


def test_rows_that_cannot_be_shared_out_are_refused():
    with pytest.raises(ValueError, match="6 rows cannot be cut into 4"):
        model.CarriedModel(built().streaming, ROWS, 4)
