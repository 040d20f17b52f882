"""Every item is ranked, ties count against us, and blocks change nothing."""

import numpy as np
import pytest

from apps.recommendation import ranking
from apps.recommendation.histories import Queries


def queries(histories, answers):
    """Queries of lists of codes, and of lists of right codes."""
    lengths = np.array([len(history) for history in histories])
    ends = np.cumsum(lengths)
    return Queries(
        items=np.concatenate([*map(np.asarray, histories)]).astype(np.int32),
        history_start=ends - lengths,
        history_end=ends,
        targets=np.concatenate([*map(np.asarray, answers)]).astype(np.int32),
        target_starts=np.append(0, np.cumsum([len(each) for each in answers])),
    )


def one_row(scores, targets, seen=()):
    scores, targets = np.array(scores, np.float32), np.array(targets)
    return ranking.ranks_in_row(scores, targets, np.array(seen, int)).tolist()


def test_the_rank_is_one_more_than_the_number_of_better_items():
    assert one_row([0.1, 0.9, 0.5, 0.3], [1]) == [4]
    assert one_row([0.1, 0.9, 0.5, 0.3], [2]) == [1]


def test_ties_count_against_us():
    assert one_row([1.0, 1.0, 1.0, 0.0], [2]) == [3]
    assert one_row([0.0] * 7, [4]) == [7]


def test_scores_that_are_not_numbers_count_against_us():
    assert one_row([np.nan, 0.5, np.nan, 0.1], [2]) == [3]
    assert one_row([np.nan, 0.5, 0.2, 0.1], [1]) == [4]


def test_the_other_right_items_of_a_basket_are_left_out():
    # Items 1, 2 and 4 are right; only item 3 can stand before any of them
    assert one_row([0.9, 0.8, 0.85, 0.1], [1, 2, 4]) == [1, 2, 2]


def test_a_right_item_that_ties_with_another_right_item_is_not_set_back():
    assert one_row([0.5, 0.5, 0.1], [1, 2]) == [1, 1]


def test_a_cold_item_has_no_rank_and_changes_no_other_one():
    assert one_row([0.9, 0.8, 0.1], [0, 2]) == [0, 2]


def test_seen_items_are_neither_counted_nor_found():
    assert one_row([0.9, 0.8, 0.7, 0.1], [3, 1], seen=[1, 2]) == [1, 0]


def test_ranks_agree_with_the_definition_for_random_scores_with_ties():
    draw = np.random.default_rng(0)
    for _ in range(200):
        scores = draw.integers(0, 5, 12).astype(np.float32)
        targets = draw.choice(13, draw.integers(1, 4), replace=False)
        seen = np.flatnonzero(draw.random(12) < 0.3) + 1
        expected = []
        for target in targets:
            others = [
                code
                for code in range(1, 13)
                if code != target and code not in targets and code not in seen
            ]
            rank = 1 + sum(scores[code - 1] >= scores[target - 1] for code in others)
            expected.append(0 if target == 0 or target in seen else rank)
        assert one_row(scores, targets, seen) == expected


def test_the_list_holds_the_best_items_and_of_equals_the_more_popular_ones():
    scores = np.array([1, 3, 3, 0, 3, 2], np.float32)
    assert ranking.top_of_row(scores, 4, np.array([], int)).tolist() == [2, 3, 5, 6]
    assert ranking.top_of_row(scores, 2, np.array([], int)).tolist() == [2, 3]


def test_the_list_leaves_out_what_was_seen_and_is_filled_up_with_zeros():
    scores = np.array([5, 4, 3], np.float32)
    assert ranking.top_of_row(scores, 3, np.array([1, 3])).tolist() == [2, 0, 0]


def test_the_callers_scores_are_not_changed():
    scores = np.array([5, 4, 3], np.float32)
    ranking.top_of_row(scores, 3, np.array([1]))
    np.testing.assert_array_equal(scores, [5, 4, 3])


@pytest.fixture
def asked():
    draw = np.random.default_rng(1)
    histories = [draw.integers(1, 21, length) for length in draw.integers(0, 6, 23)]
    answers = [draw.choice(21, draw.integers(1, 4), replace=False) for _ in range(23)]
    return queries(histories, answers)


def by_the_sum_of_the_history(block):
    """Scores that depend on the query alone, whatever stands beside it."""
    rows = []
    for start, end in zip(block.history_start, block.history_end, strict=True):
        rows.append(np.sin(np.arange(20) * (1 + block.items[start:end].sum())))
    return np.array(rows)


@pytest.mark.parametrize("exclude_seen", [False, True])
def test_answers_do_not_depend_on_the_block(asked, exclude_seen):
    found = [
        ranking.ranked(
            by_the_sum_of_the_history, asked, 20, exclude_seen=exclude_seen, rows_per_block=rows
        )
        for rows in (1, 7, 100)
    ]
    for each in found[1:]:
        np.testing.assert_array_equal(each.ranks, found[0].ranks)
        np.testing.assert_array_equal(each.top, found[0].top)


def test_both_ways_at_once_are_the_two_rankings(asked):
    both = ranking.ranked_both_ways(by_the_sum_of_the_history, asked, 20, rows_per_block=5)
    for found, exclude_seen in zip(both, (False, True), strict=True):
        alone = ranking.ranked(by_the_sum_of_the_history, asked, 20, exclude_seen=exclude_seen)
        np.testing.assert_array_equal(found.ranks, alone.ranks)
        np.testing.assert_array_equal(found.top, alone.top)


def test_ranks_and_lists_agree(asked):
    """An item at rank r, alone right and without ties, stands in place r of the list."""
    found = ranking.ranked(by_the_sum_of_the_history, asked, 20, top_count=20)
    alone = np.diff(asked.target_starts) == 1
    checked = 0
    for query in np.flatnonzero(alone):
        at = asked.target_starts[query]
        if asked.targets[at]:
            assert found.top[query][found.ranks[at] - 1] == asked.targets[at]
            checked += 1
    assert checked


def test_scores_of_another_shape_are_refused(asked):
    with pytest.raises(ValueError, match="have the shape"):
        ranking.ranked(lambda block: np.zeros((len(block), 19)), asked, 20)
