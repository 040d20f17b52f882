import math

import numpy as np
import pytest

from apps.anomaly_detection import measures


def flags(steps, *ranges):
    found = np.zeros(steps, bool)
    for first, end in ranges:
        found[first:end] = True
    return found


def test_ranges_hold_the_first_step_and_the_step_after_the_last():
    assert measures.ranges(np.array([1, 1, 0, 1, 0, 0, 1], bool)) == [(0, 2), (3, 4), (6, 7)]
    assert measures.ranges(np.zeros(3, bool)) == []


def test_average_precision_of_a_case_by_hand():
    # From the top: a hit (1/1), a miss, a hit (2/3), a miss; each hit is half of the recall.
    labels, scores = np.array([1, 0, 1, 0], bool), np.array([4.0, 3.0, 2.0, 1.0])
    area = measures.area_under_precision_recall(labels, scores)
    assert area == pytest.approx((1 + 2 / 3) / 2)


def test_vus_pr_without_a_buffer_by_hand():
    # One range of two steps, so a hit is the whole of the ranges: recall 1/2 at the first step,
    # where precision is 1, and 1 at the third, where precision is 2/3.
    labels, scores = flags(4, (0, 2)), np.array([4.0, 2.0, 3.0, 1.0])
    volume = measures.volume_under_precision_recall(labels, scores, buffer_steps=0)
    assert volume == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_vus_pr_with_a_buffer_by_hand():
    # Step 2 alone is labelled; with a buffer of 2 its neighbours count sqrt(1/2) each. Buffers of
    # 0 and 1 have no slope: precision 1/2 where the labelled step, second from the top, comes in.
    labels, scores = flags(5, (2, 3)), np.array([1.0, 5.0, 4.0, 3.0, 2.0])
    slope = math.sqrt(0.5)
    # (1 + 1 + 2 slope) / 2 = 1 + slope positives: the two best steps are a recall of 1.
    first = slope / (1 + slope)
    with_buffer = first * slope + (1 - first) * (1 + slope) / 2
    volume = measures.volume_under_precision_recall(labels, scores, buffer_steps=2)
    assert volume == pytest.approx((0.5 + 0.5 + with_buffer) / 3)


def test_vus_pr_counts_recall_by_the_ranges_that_are_hit():
    labels = flags(6, (0, 1), (5, 6))
    # The first range is found at the top; the second one comes last of all.
    scores = np.array([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    volume = measures.volume_under_precision_recall(labels, scores, buffer_steps=0)
    # recall 1/2 of the steps times 1/2 of the ranges, then both whole at precision 2/6
    assert volume == pytest.approx(0.25 * 1 + 0.75 * 2 / 6)


def test_equal_scores_cross_a_threshold_together():
    labels = flags(8, (3, 5))
    constant = measures.volume_under_precision_recall(labels, np.ones(8), buffer_steps=0)
    assert constant == pytest.approx(2 / 8)


def test_perfect_scores_reach_1_and_random_scores_stay_near_the_share_of_labels():
    labels = flags(4000, (1000, 1100), (3000, 3100))
    random = np.random.default_rng(0).random(4000)
    assert measures.volume_under_precision_recall(labels, labels.astype(float), 0) == 1
    assert measures.volume_under_precision_recall(labels, random, 20) < 0.1
    assert measures.area_under_precision_recall(labels, random) < 0.1


@pytest.mark.parametrize("change", [lambda x: 3 * x + 7, np.exp])
def test_only_the_order_of_the_scores_counts(change):
    generator = np.random.default_rng(1)
    labels, scores = flags(300, (50, 60), (200, 230)), generator.random(300)
    for measure in (
        measures.volume_under_precision_recall,
        measures.area_under_precision_recall,
        measures.best_point_adjusted_f1,
    ):
        assert measure(labels, change(scores)) == pytest.approx(measure(labels, scores))


def test_a_near_miss_is_worth_more_to_vus_pr_than_a_far_one():
    labels = flags(200, (100, 110))
    near, far = np.zeros(200), np.zeros(200)
    near[97:99] = far[20:22] = 1
    of = measures.volume_under_precision_recall
    assert of(labels, near, 10) > of(labels, far, 10)
    assert of(labels, near, 0) == of(labels, far, 0)


def test_events_are_counted_as_hundman_counts():
    events = [(10, 20), (40, 50), (70, 71)]
    # Two alarms in the first event, one over the border of the second, one in nothing.
    alarms = [(11, 12), (15, 16), (35, 41), (60, 61)]
    counts = measures.count_events(events, alarms)
    assert counts == (3, 2, 4, 1)
    assert counts.precision == 2 / 3
    assert counts.recall == 2 / 3
    assert counts.f1 == pytest.approx(2 / 3)
    assert measures.add([counts, counts]) == (6, 4, 8, 2)


def test_touching_is_not_overlapping():
    assert measures.count_events([(10, 20)], [(20, 25), (5, 10)]) == (1, 0, 2, 2)


def test_no_alarm_is_no_precision_and_no_error():
    counts = measures.count_events([(1, 2)], [])
    assert (counts.precision, counts.recall, counts.f1) == (0, 0, 0)


def test_delay_runs_from_the_start_of_an_event_to_its_first_alarm():
    events = [(10, 20), (40, 50), (70, 80)]
    alarms = [(14, 15), (16, 18), (30, 45)]
    assert measures.delays(events, alarms) == [4, 0]


def test_range_based_precision_and_recall_by_hand():
    events, alarms = [(0, 10), (20, 30)], [(5, 15), (22, 24), (26, 28), (40, 44)]
    # Alarms: half inside, wholly inside, wholly inside, outside.
    assert measures.range_precision(events, alarms) == pytest.approx((0.5 + 1 + 1 + 0) / 4)
    # Events: half flagged; 4 of 10 flagged in two pieces counts half of it. Both were hit.
    overlap = (0.5 + 0.4 / 2) / 2
    assert measures.range_recall(events, alarms, existence=0) == pytest.approx(overlap)
    assert measures.range_recall(events, alarms) == pytest.approx(0.5 + 0.5 * overlap)
    assert measures.range_recall([], alarms) == 0


def test_point_adjusted_f1_by_hand():
    labels, scores = flags(10, (2, 6)), np.array([0, 0, 0, 9, 0, 0, 0, 5, 0, 0], float)
    assert measures.best_point_adjusted_f1(labels, scores) == 1
    scores[8] = 10  # one false step above the peak: 4 hits, 1 false, 4 labelled
    assert measures.best_point_adjusted_f1(labels, scores) == pytest.approx(2 * 4 / (4 + 1 + 4))


def test_point_adjustment_rewards_random_scores_where_vus_pr_does_not():
    labels = flags(10_000, *[(start, start + 500) for start in range(1000, 10_000, 2000)])
    random = np.random.default_rng(2).random(10_000)
    assert measures.best_point_adjusted_f1(labels, random) > 0.9
    assert measures.volume_under_precision_recall(labels, random, 50) < 0.35
