"""The network reads a history and nothing else, scores by its table, and reloads the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.recommendation import model
from tests.apps.recommendation import small_run

# Of Keras, when it saves a model
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
HISTORY = np.array([[3, 1, 9, 4], [7, 7, 2, 5]], np.int32)


@pytest.fixture(scope="module", params=["gru", "lstm", "peephole_lstm"])
def network(request):
    return small_run.built(small_run.config(transitions=0, layer=request.param))


def scores(network, history):
    return network(tf.constant(history, tf.int32), training=False).numpy()


def test_zeros_anywhere_change_nothing(network):
    expected = scores(network, HISTORY)
    behind = np.pad(HISTORY, [(0, 0), (0, 3)])
    before = np.pad(HISTORY, [(0, 0), (3, 0)])
    between = np.insert(HISTORY, 2, 0, axis=1)
    for padded in (behind, before, between):
        np.testing.assert_allclose(scores(network, padded), expected, atol=1e-5)


def test_a_row_does_not_depend_on_the_rows_beside_it(network):
    alone = [scores(network, row[None])[0] for row in HISTORY]
    np.testing.assert_allclose(scores(network, HISTORY), alone, atol=1e-5)


def test_order_and_every_item_count(network):
    expected = scores(network, HISTORY)
    assert np.abs(scores(network, HISTORY[:, ::-1]) - expected).max() > 1e-3
    for place in range(HISTORY.shape[1]):
        changed = HISTORY.copy()
        changed[:, place] = 11
        assert np.abs(scores(network, changed) - expected).max() > 1e-3


def test_with_zeros_behind_alone_the_last_item_is_heard_without_a_mask(network):
    layers = model.layers_of(network)
    history = tf.constant([[3, 1, 9, 4], [7, 2, 0, 0], [5, 0, 0, 0], [0, 0, 0, 0]])
    masked, _ = model.recurrent_outputs(layers, history, training=False)
    found = model.last_outputs(layers, history)
    np.testing.assert_allclose(found[:3], masked[:3, -1], atol=1e-6)
    assert np.isfinite(found[3]).all()  # and without a meaning


def test_scores_are_products_with_the_table_that_reads_the_items(network):
    layers = model.layers_of(network)
    outputs, _ = model.recurrent_outputs(layers, tf.constant(HISTORY), training=False)
    vectors = model.queries(layers, outputs[:, -1]).numpy()
    table = layers["items"]
    expected = vectors @ table.embeddings.numpy().T + table.bias.numpy()
    np.testing.assert_allclose(scores(network, HISTORY), expected, atol=1e-4)
    read = table(tf.constant([[3, 0]]))[0].numpy()
    np.testing.assert_array_equal(read, [table.embeddings.numpy()[2], np.zeros(7)])


def test_a_saved_model_reloads_to_the_same_scores(network, tmp_path):
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(scores(loaded, HISTORY), scores(network, HISTORY))


def test_an_untrained_model_begins_with_popularity():
    """What is left to learn is what a history changes."""
    keras.utils.set_random_seed(0)
    counts = np.array([50, 20, 5, 0])
    network = model.build(small_run.config(), 4, counts)
    bias = network.get_layer("items").bias.numpy()
    np.testing.assert_allclose(np.diff(bias), np.log([20 / 50, 5 / 20, 0.5 / 5]), rtol=1e-5)


def test_a_seed_fixes_the_first_weights():
    weights = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        weights.append(model.build(small_run.config(), 9).get_weights())
    for one, same in zip(weights[0], weights[1], strict=True):
        np.testing.assert_array_equal(one, same)
    assert any((one != other).any() for one, other in zip(weights[0], weights[2], strict=True))


def test_items_are_hidden_in_training_alone_and_in_their_share():
    from apps.recommendation.model import HiddenItems

    layer = HiddenItems(0.3, seed=1)
    codes = tf.ones((100, 100), tf.int32)
    np.testing.assert_array_equal(layer(codes, training=False), codes)
    assert float(np.mean(layer(codes, training=True) == 0)) == pytest.approx(0.3, abs=0.02)
