"""Targets are of the next moment of the same history, whatever stands beside it."""

import numpy as np
import pytest

from apps.recommendation import config as configs
from apps.recommendation.batches import NextMoments
from apps.recommendation.histories import Histories

# Two histories: baskets (1 2) (3) (4 5 6) at days 0, 1, 5, and (7) (8 9) at days 5, 6
ITEMS = np.arange(1, 10, dtype=np.int32)
DAYS = np.array([0, 0, 1, 5, 5, 5, 5, 6, 6])
STARTS = np.array([0, 6, 9])
BY_TIME = configs.SplitConfig()


def drawn(train, settings=BY_TIME, times=200, starts=(0, 6), lengths=(6, 3)):
    following, draw = NextMoments(train, settings), np.random.default_rng(0)
    starts, lengths = np.array(starts), np.array(lengths)
    return np.array([following.draw(starts, lengths, 7, draw) for _ in range(times)])


def test_every_item_of_the_next_basket_is_drawn_alike_and_none_of_the_same():
    found = drawn(Histories(ITEMS, DAYS, STARTS))
    expected = [[{3}, {3}, {4, 5, 6}, {0}, {0}, {0}, {0}], [{8, 9}, {0}, {0}, {0}, {0}, {0}, {0}]]
    for row in range(2):
        assert [set(found[:, row, place]) for place in range(7)] == expected[row]
    counts = np.bincount(found[:, 0, 2])[4:7]
    assert counts.min() > 40


@pytest.mark.parametrize(
    ("times", "settings"),
    [
        (None, BY_TIME),
        (np.arange(9), BY_TIME),
        (DAYS, configs.SplitConfig(kind="leave_last_out")),
    ],
    ids=["no times", "different times", "leave last out"],
)
def test_where_order_is_all_it_is_the_next_item(times, settings):
    found = drawn(Histories(ITEMS, times, STARTS), settings, times=3)
    for targets in found:
        np.testing.assert_array_equal(targets, [[2, 3, 4, 5, 6, 0, 0], [8, 9, 0, 0, 0, 0, 0]])


def test_a_window_asks_only_for_its_own_steps():
    found = drawn(Histories(ITEMS, None, STARTS), times=1, starts=(2, 7), lengths=(3, 0))
    np.testing.assert_array_equal(found[0], [[4, 5, 6, 0, 0, 0, 0], [0] * 7])
