import dataclasses
import itertools

import numpy as np
import pytest

from apps.recommendation import baselines, ranking
from apps.recommendation import config as configs
from tests.apps.recommendation import logs

CONFIG = configs.PRESETS["tiny"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    file = tmp_path_factory.mktemp("log") / "log.csv"
    return logs.load(logs.write_csv(file, logs.drawn(events=900)))


def histories(dataset):
    starts = dataset.train.starts
    return [dataset.train.items[a:b].tolist() for a, b in itertools.pairwise(starts)]


def before(queries):
    ends = zip(queries.history_start, queries.history_end, strict=True)
    return [queries.items[start:end].tolist() for start, end in ends]


def items(dataset):
    return len(dataset.item_names)


def test_popularity_is_the_order_of_the_codes_without_ties(dataset):
    scores = baselines.Popularity(baselines.items_in_order(dataset.item_counts)).scores(
        dataset.test
    )
    assert scores.shape == (len(dataset.test), items(dataset))
    assert scores.dtype == np.float32
    assert (np.diff(scores, axis=1) < 0).all()


def test_recent_counts_are_those_of_the_last_share_of_the_events(dataset):
    counts = baselines.recent_counts(dataset.train, items(dataset), 0.1)
    times = dataset.train.times
    border = np.sort(times)[int(0.9 * len(times)) - 1]
    later = dataset.train.items[times > border]
    surely = np.bincount(later - 1, minlength=items(dataset))
    assert (counts >= surely).all()
    assert 0.1 * len(times) <= counts.sum() <= 0.15 * len(times)  # whole days
    everything = baselines.recent_counts(dataset.train, items(dataset), 1.0)
    assert (everything == dataset.item_counts).all()


def test_repeated_items_stand_in_front_by_how_often_and_how_lately(dataset):
    baseline = baselines.RepeatedItems(baselines.items_in_order(dataset.item_counts), 0.9)
    scores = baseline.scores(dataset.test)
    for row, history in enumerate(before(dataset.test)):
        wanted = np.zeros(items(dataset))
        for age, code in enumerate(reversed(history)):
            wanted[code - 1] += 0.9**age
        np.testing.assert_allclose(scores[row], wanted, atol=2e-5)
        seen = sorted(set(history))
        assert scores[row].argmax() + 1 in seen
        unseen = np.setdiff1d(np.arange(items(dataset)), np.array(seen) - 1)
        assert (np.diff(scores[row][unseen]) < 0).all()


@pytest.mark.parametrize("reach", [1, 3])
def test_transitions_are_counted_as_by_hand(dataset, reach):
    wanted = np.zeros((items(dataset), items(dataset)))
    for history in histories(dataset):
        for place, code in enumerate(history):
            for step in range(1, reach + 1):
                if place + step < len(history):
                    wanted[code - 1, history[place + step] - 1] += 1 / step
    wanted /= np.maximum(wanted.sum(axis=1, keepdims=True), 1e-12)
    matrix = baselines.transition_probabilities(dataset.train, items(dataset), reach)
    np.testing.assert_allclose(matrix.toarray(), wanted, atol=1e-6)
    order = baselines.items_in_order(dataset.item_counts)
    for decay in (0.0, 0.7):
        scores = baselines.Transitions(matrix, order, reach, decay).scores(dataset.test)
        for row, history in enumerate(before(dataset.test)):
            total = sum(decay**age * wanted[code - 1] for age, code in enumerate(history[::-1]))
            np.testing.assert_allclose(scores[row], total, atol=2e-4)


@pytest.mark.parametrize("sample", [None, 12])
def test_session_neighbours_are_found_as_by_hand(dataset, sample):
    order = baselines.items_in_order(dataset.item_counts)
    k = 5
    matrix = baselines.by_recency(dataset.train, items(dataset))
    baseline = baselines.SessionNeighbours(matrix, order, k, sample)
    ends = dataset.train.times[dataset.train.starts[1:] - 1]
    known = [set(histories(dataset)[at]) for at in np.argsort(ends, kind="stable")]
    checked = 0
    for row, history in enumerate(before(dataset.test)):
        own = set(history)
        near = [
            (len(own & other) / np.sqrt(len(own) * len(other)), other)
            for other in known
            if own & other
        ]
        near = sorted(near[-sample:] if sample else near, key=lambda pair: -pair[0])
        if len(near) > k and np.isclose(near[k - 1][0], near[k][0]):
            continue  # either of the two may be a neighbour
        wanted = np.zeros(items(dataset))
        for similarity, other in near[:k]:
            wanted[np.array(sorted(other)) - 1] += similarity
        scores = baseline.scores(dataset.test.take(np.array([row])))[0]
        np.testing.assert_allclose(scores, wanted, atol=2e-4)
        checked += 1
    assert checked > 10


def test_the_last_events_alone_are_looked_at_in_very_long_histories(dataset, monkeypatch):
    long = dataset.test.take(np.flatnonzero(dataset.test.lengths > 4))
    short = dataclasses.replace(long, history_start=long.history_end - 4)
    order = baselines.items_in_order(dataset.item_counts)
    matrix = baselines.by_recency(dataset.train, items(dataset))
    monkeypatch.setattr(baselines, "_MOST_EVENTS", 4)
    monkeypatch.setattr(baselines, "_MOST_ITEMS", 4)
    for baseline in (
        baselines.RepeatedItems(order, 1.0),
        baselines.SessionNeighbours(matrix, order, 5, None),
    ):
        np.testing.assert_array_equal(baseline.scores(long), baseline.scores(short))


def test_all_are_fitted_and_answer_whatever_the_block(dataset):
    config = dataclasses.replace(CONFIG, evaluation=configs.EvaluationConfig(rows_per_block=7))
    fitted = baselines.fit(dataset, config)
    assert fitted.keys() == {
        "popularity", "recent_popularity", "repeated_items", "markov", "session_knn",
    }  # fmt: skip
    for name, baseline in fitted.items():
        whole = baseline.scores(dataset.test)
        assert whole.dtype == np.float32, name
        parts = [
            baseline.scores(dataset.test.take(part))
            for part in np.array_split(np.arange(len(dataset.test)), 3)
        ]
        np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-6, err_msg=name)


def test_a_log_without_times_has_no_recent_popularity(tmp_path):
    file = tmp_path / "log.txt"
    file.write_text("u a b c d\nv b c d\nw c d a\n")
    fitted = baselines.fit(logs.load(file, split=logs.LEAVE_LAST_OUT), CONFIG)
    assert fitted.keys() == {"popularity", "repeated_items", "markov", "session_knn"}


def test_a_history_without_known_items_gets_the_popular_ones(dataset):
    queries = dataset.test.take(np.array([0, 1]))
    nothing = dataclasses.replace(queries, history_end=queries.history_start)
    for name, baseline in baselines.fit(dataset, CONFIG).items():
        if name != "recent_popularity":
            assert (np.diff(baseline.scores(nothing), axis=1) < 0).all(), name


def test_what_was_seen_can_be_put_below_all_else(dataset):
    inner = baselines.Popularity(baselines.items_in_order(dataset.item_counts))
    scores = baselines.Unseen(inner).scores(dataset.test)
    for row, history in enumerate(before(dataset.test)):
        seen = np.array(sorted(set(history))) - 1
        unseen = np.setdiff1d(np.arange(items(dataset)), seen)
        assert not len(unseen) or scores[row][seen].max() < scores[row][unseen].min()


def test_each_learns_the_log_that_is_made_for_it(tmp_path):
    draw = np.random.default_rng(0)
    circle = [
        (f"u{user}", f"i{(start + step) % 50}", step * 100 + user)
        for user, start in enumerate(draw.integers(50, size=80))
        for step in range(20)
    ]
    assert best(tmp_path, circle, "markov") > 0.95  # each item has one that follows
    own = [
        (f"u{user}", f"i{draw.integers(3) + 3 * user}", step * 100 + user)
        for user in range(60)
        for step in range(20)
    ]
    assert best(tmp_path, own, "repeated_items") > 0.6  # 0.71 is what three equal items allow
    groups = [
        (f"u{user}", f"i{item + 12 * (user % 8)}", step * 100 + user)
        for user in range(80)
        for step, item in enumerate(draw.permutation(12))
    ]
    assert best(tmp_path, groups, "session_knn") > 2 * best(tmp_path, groups, "popularity")
    fashion = [
        (f"u{draw.integers(200)}", f"i{at // 100 + draw.integers(20)}", at) for at in range(3000)
    ]
    recent = best(tmp_path, fashion, "recent_popularity")
    assert recent > best(tmp_path, fashion, "popularity")


def best(folder, rows, name):
    """NDCG@10 of a baseline on test."""
    dataset = logs.load(logs.write_csv(folder / "log.csv", rows))
    baseline = baselines.fit(dataset, CONFIG)[name]
    answered = ranking.ranked(baseline.scores, dataset.test, len(dataset.item_names))
    return ranking.measures_of_ranks(answered.ranks)[ranking.PRIMARY]
