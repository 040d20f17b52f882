"""Transitions are counted as they are defined, joined by their equation, and chosen to help."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from apps.recommendation import config as configs
from apps.recommendation import export, joining, model, ranking, trained_model, transitions
from apps.recommendation.histories import Histories
from apps.suite.export import onnx_file
from tests.apps.recommendation import logs, small_run

HISTORY = np.array(
    [[4, 2, 4, 9, 1], [7, 0, 0, 0, 0], [5, 5, 0, 0, 0], [0, 0, 0, 0, 0], [1, 2, 3, 8, 9]], np.int32
)


def histories(*rows, times=None):
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return Histories(np.concatenate(rows).astype(np.int32), times, starts)


def table(found, items):
    """Counts (items, items) of what was kept; an item's own entries come first."""
    dense = np.zeros((items, items))
    for row in range(items):
        for code, count in zip(found.codes[row], found.counts[row], strict=True):
            dense[row, code - 1] = count  # the places that fill up a row repeat its first
    return dense


def test_an_item_that_comes_s_moments_later_counts_1_by_s():
    train = histories([1, 2, 3, 1, 2], [2, 3])
    found = table(transitions.successors(train, logs.LEAVE_LAST_OUT, 3, 2, 3), 3)
    np.testing.assert_allclose(found, [[0, 2, 0.5], [0.5, 0, 2], [1, 0.5, 0]])


def test_a_basket_is_followed_by_every_item_of_the_next_and_by_none_of_itself():
    train = histories([1, 2, 3, 4], [3, 1], times=np.array([5, 5, 6, 6, 7, 9]))
    by_time = configs.SplitConfig()
    found = transitions.successors(train, by_time, 4, 1, 4)
    expected = [[0, 0, 1, 1], [0, 0, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(table(found, 4), expected)
    np.testing.assert_allclose(found.totals, [2, 2, 1, 0])


def test_the_most_frequent_successors_are_kept_and_all_are_counted():
    train = histories([1, 4], [1, 4], [1, 3], [1, 2], [3, 3])
    found = transitions.successors(train, logs.LEAVE_LAST_OUT, 4, 1, 2)
    assert found.codes[0].tolist() == [4, 2]  # of 2 and 3, alike often, the more popular one
    assert found.counts[0].tolist() == [2, 1]
    assert found.codes[2].tolist() == [3, 3]
    assert found.totals.tolist() == [4, 0, 1, 0]


def expected_scores(network, layer, history):
    """Scores of one row by the equations, in 64 bits."""
    scores = network(history[None]).numpy()[0].astype(np.float64)
    p = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    found, mixture = np.exp(np.float64(layer.strengths.numpy())), layer.mixture
    items = [code for code in history if code]
    for age, code in enumerate(items[::-1][: transitions.LATEST]):
        columns = layer.codes.numpy()[code - 1]
        for column in np.unique(columns):
            place = int(np.flatnonzero(columns == column)[0])
            p[column] += mixture.decay**age * found[code - 1, place]
    p = np.log(p)
    p[np.unique(items).astype(int) - 1] -= mixture.seen
    return p


@pytest.fixture(scope="module")
def joined():
    return small_run.built(small_run.config())


def test_the_joined_model_is_its_equation(joined):
    network, layer = model.network_alone(joined), joined.get_layer("transitions")
    found = joined(HISTORY).numpy()
    expected = [expected_scores(network, layer, row) for row in HISTORY]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    assert np.abs(found - network(HISTORY).numpy()).max() > 1


def test_zeros_anywhere_change_nothing(joined):
    plain = joined(HISTORY).numpy()
    for places in ((0, 0), (2, 4), (5, 5)):
        padded = np.insert(HISTORY, places, 0, axis=1)
        np.testing.assert_allclose(joined(padded).numpy(), plain, atol=1e-4)


def test_without_weight_it_ranks_as_the_network_alone(joined):
    network = model.network_alone(joined)
    again = model.joined(network, 3)
    counts = transitions.Successors(
        np.ones((60, 3), np.int32), np.ones((60, 3), np.float32), np.full(60, 3, np.float32)
    )
    again.get_layer("transitions").mix(counts, transitions.Mixture(weight=0.0))
    wanted = tf.nn.log_softmax(network(HISTORY)).numpy()
    np.testing.assert_allclose(again(HISTORY).numpy(), wanted, atol=1e-5)


def test_a_saved_model_answers_alike_and_tells_its_mixture(joined, tmp_path):
    small_run.write(tmp_path / "run")
    again = trained_model.load(tmp_path / "run")
    np.testing.assert_allclose(again.score_last(HISTORY), joined(HISTORY).numpy(), atol=1e-5)
    layer = again.model.get_layer("transitions")
    assert layer.mixture == joined.get_layer("transitions").mixture
    assert joining.parts(again)["transitions_alone"].chosen == str(layer.mixture)


@pytest.fixture(scope="module")
def walks(tmp_path_factory):
    """A log in which the last item tells the next most of the time."""
    draw = np.random.default_rng(0)
    rows = []
    for user in range(60):
        item = int(draw.integers(40))
        for day in range(12):
            rows.append((f"user {user}", f"item {item}", day * 86_400 + 1_600_000_000))
            item = (item * 7 + 3) % 40 if draw.random() < 0.8 else int(draw.integers(40))
    file = logs.write_csv(tmp_path_factory.mktemp("walks") / "log.csv", rows)
    return logs.load(file, model=small_run.config(transitions=4).model)


def test_validation_finds_transitions_that_the_network_lacks_and_the_parts_stand_beside(walks):
    config = dataclasses.replace(configs.PRESETS["tiny"], model=small_run.config().model)
    network = model.network_alone(small_run.built(config, walks.item_counts))
    queries = walks.validation
    joined, mixture, reached, alone = joining.chosen(network, walks, config, queries)
    assert mixture.weight > 0
    assert alone < 0.4 < 0.6 < reached

    def quality(scores):
        ranks = ranking.ranked(scores, queries, len(walks.item_names)).ranks
        return ranking.measures_of_ranks(ranks)["ndcg_at_10"]

    scorer = trained_model.Scorer(joined, config.model.history_items)
    items = (walks.item_names, walks.titles, walks.item_counts)
    trained = trained_model.TrainedModel(joined, config, *items, scorer)
    parts = joining.parts(trained)
    assert quality(scorer) == pytest.approx(reached)
    assert quality(parts["network_alone"].scores) == pytest.approx(alone)
    assert quality(parts["transitions_alone"].scores) > 0.6
    # From a joined model the same is chosen again
    _, again, _, before = joining.chosen(model.network_alone(joined), walks, config, queries)
    assert (again, before) == (mixture, alone)


def test_where_nothing_is_better_the_network_stays_alone(walks):
    config = dataclasses.replace(configs.PRESETS["tiny"], model=small_run.config().model)
    network = model.network_alone(small_run.built(config, walks.item_counts))
    query = walks.validation.take(np.arange(1))
    best = int(network(query.recent(slice(None), small_run.HISTORY_ITEMS)).numpy().argmax()) + 1
    query = dataclasses.replace(
        query, targets=np.array([best], np.int32), target_starts=np.array([0, 1])
    )
    _, mixture, reached, alone = joining.chosen(network, walks, config, query)
    assert reached == alone == 1
    assert str(mixture) == "the network alone"


@pytest.mark.slow
def test_the_joined_model_is_written_as_onnx_and_answers_alike_on_several_threads(tmp_path):
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    trained, _ = small_run.write(tmp_path / "run")
    onnx_file.write(export.onnx_network(tmp_path / "run"), tmp_path / "network.onnx")
    session = runtime.InferenceSession(tmp_path / "network.onnx")
    many = np.random.default_rng(0).integers(0, 61, (500, 6), np.int32)
    (found,) = session.run(["scores"], {"history": many})
    np.testing.assert_allclose(found, trained(many).numpy(), rtol=1e-3, atol=1e-3)
