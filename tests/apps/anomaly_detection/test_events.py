"""Steps over a threshold become events as a person who reads one step after the other would say."""

import numpy as np
import pytest

from apps.anomaly_detection import events


def flags(text):
    """`..##.` with # where the score is over the threshold."""
    return np.array([mark == "#" for mark in text])


def by_hand(is_over, merge_steps, cool_down_steps):
    """One step after the other: goes on with the event, begins one, or is dropped."""
    found = []
    for step in np.flatnonzero(is_over).tolist():
        between = step - found[-1][1] if found else None
        if between is not None and between <= merge_steps:
            found[-1][1] = step + 1
        elif between is None or between >= cool_down_steps:
            found.append([step, step + 1])
    return [tuple(each) for each in found]


@pytest.mark.parametrize(
    ("text", "merge", "cool_down", "expected"),
    [
        ("......", 3, 3, []),
        ("######", 0, 0, [(0, 6)]),
        ("##..##", 0, 0, [(0, 2), (4, 6)]),
        ("##..##", 1, 0, [(0, 2), (4, 6)]),
        ("##..##", 2, 0, [(0, 6)]),
        ("#..#..#", 0, 4, [(0, 1), (6, 7)]),  # what is dropped does not prolong the cool-down
        ("#..####", 0, 4, [(0, 1), (5, 7)]),  # what outlasts it begins an event
        ("#.#...#", 1, 5, [(0, 3)]),
    ],
)
def test_runs_are_merged_and_dropped_in_a_cool_down(text, merge, cool_down, expected):
    assert events.intervals(flags(text), merge, cool_down) == expected


@pytest.mark.parametrize("merge", [0, 1, 4])
@pytest.mark.parametrize("cool_down", [0, 1, 3, 9])
def test_intervals_are_those_of_one_step_after_the_other(merge, cool_down):
    draw = np.random.default_rng(0)
    for share in (0.05, 0.3, 0.7):
        is_over = draw.random(300) < share
        found = events.intervals(is_over, merge, cool_down)
        assert found == by_hand(is_over, merge, cool_down)


def test_an_event_has_its_peak_and_its_worst_channels():
    scores = np.array([0, 3, 9, 4, 0, 5], np.float32)
    contributions = np.zeros((6, 5), np.float32)
    contributions[1:4] = [[0, 1, 2, 0, 0], [5, 1, 2, 1, 0], [0, 1, 2, 1, 0]]
    first, second = events.from_scores(
        scores, 2.0, contributions=contributions, names=("a", "b", "c", "d", "e")
    )
    assert first == events.Event(1, 4, 2, 9.0, ("c", "a", "b"))
    assert second == events.Event(5, 6, 5, 5.0, ())


def test_a_threshold_may_be_one_for_each_step():
    scores = np.array([1.0, 1.0, 1.0])
    found = events.from_scores(scores, np.array([2.0, 0.5, 1.0]))
    assert [(event.start, event.end) for event in found] == [(1, 2)]


def test_padding_unites_what_meets_and_stays_within_the_series():
    assert events.padded([(2, 3), (7, 8), (20, 21)], 2, 22) == [(0, 10), (18, 22)]
    assert events.padded([(2, 3), (8, 9)], 2, 22) == [(0, 5), (6, 11)]


def test_an_event_lasts_through_steps_without_a_row():
    over = np.array([0, 1, 0, 1, 0, 0, 1, 1, 0], bool)
    has_row = np.array([1, 1, 0, 1, 1, 0, 1, 1, 1], bool)
    assert events.intervals(over, has_row=has_row) == [(1, 4), (6, 8)]
    assert events.intervals(over, 1, has_row=has_row) == [(1, 8)]
    assert events.intervals(over, has_row=np.ones(9, bool)) == [(1, 2), (3, 4), (6, 8)]
