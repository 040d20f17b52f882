"""Metrics by hand, and what they say of misses and of lists."""

import math

import numpy as np
import pytest

from apps.recommendation import ranking


def test_ranks_as_metrics_by_hand():
    found = ranking.measures_of_ranks(np.array([1, 3, 10, 11, 0]))
    assert found["recall_at_5"] == pytest.approx(2 / 5)
    assert found["recall_at_10"] == pytest.approx(3 / 5)
    assert found["recall_at_20"] == pytest.approx(4 / 5)
    assert found["mrr_at_5"] == pytest.approx((1 + 1 / 3) / 5)
    assert found["mrr_at_10"] == pytest.approx((1 + 1 / 3 + 1 / 10) / 5)
    assert found["ndcg_at_5"] == pytest.approx((1 + 1 / 2) / 5)
    assert found["ndcg_at_10"] == pytest.approx((1 + 1 / 2 + 1 / math.log2(11)) / 5)


def test_a_miss_costs_as_much_as_the_last_place():
    assert ranking.measures_of_ranks(np.array([1, 0])) == ranking.measures_of_ranks(
        np.array([1, 10**6])
    )


def test_no_ranks_are_no_success():
    assert set(ranking.measures_of_ranks(np.array([], int)).values()) == {0.0}


def test_coverage_counts_items_in_the_first_ten_places_alone():
    top = np.tile(np.arange(1, 21), (3, 1))
    top[1, 0] = 30
    assert ranking.measures_of_lists(top, np.ones(40))["coverage_at_10"] == pytest.approx(11 / 40)


def test_missing_places_of_a_list_are_no_items():
    found = ranking.measures_of_lists(np.array([[2, 0, 0]]), np.array([5, 3, 1]))
    assert found["coverage_at_10"] == pytest.approx(1 / 3)
    assert found["popularity_at_10"] == pytest.approx(0.5)


def test_popularity_goes_from_the_least_to_the_most_popular_item():
    counts = np.array([9, 5, 5, 1])
    np.testing.assert_allclose(ranking.popularity_shares(counts), [1, 0.5, 0.5, 0])


def test_groups_by_length_hold_each_answer_once():
    lengths = np.array([0, 1, 1, 4, 7, 200])
    groups = ranking.measures_by_length(np.array([1, 2, 0, 4, 5, 6]), lengths)
    assert list(groups) == ["0", "1", "3-4", "5-9", "50+"]
    assert sum(count for count, _ in groups.values()) == 6
    assert groups["1"][1]["recall_at_10"] == pytest.approx(0.5)
