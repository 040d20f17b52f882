"""Dynamic thresholds choose, prune and slide as Hundman et al. (2018) say."""

import numpy as np
import pytest

from apps.anomaly_detection import dynamic_threshold


def calm(time=1000, seed=0):
    return np.random.default_rng(seed).uniform(0.9, 1.1, time)


def with_peaks(*peaks, time=1000):
    scores = calm(time)
    for start, height in peaks:
        scores[start : start + 10] = height
    return scores


def test_the_threshold_is_the_mean_and_the_best_of_some_deviations():
    scores = with_peaks((300, 5.0), (600, 3.0))
    found = dynamic_threshold.find(scores, 0.1)
    mean, deviation = scores.mean(), scores.std()
    values = {}
    for z in np.arange(2.5, 12, 0.5):
        above = scores > mean + z * deviation
        if above.any():
            rest = scores[~above]
            sequences = np.count_nonzero(np.diff(above.astype(int)) == 1)
            gain = (mean - rest.mean()) / mean + (deviation - rest.std()) / deviation
            values[z] = gain / (above.sum() + sequences**2)
    best = max(values, key=lambda z: (values[z], z))
    assert found.epsilon == pytest.approx(mean + best * deviation)


def test_both_peaks_are_found_and_a_single_one_as_well():
    two = dynamic_threshold.find(with_peaks((300, 5.0), (600, 5.2)), 0.1)
    assert two.sequences == [(300, 310), (600, 610)]
    assert dynamic_threshold.find(with_peaks((300, 5.0)), 0.1).sequences == [(300, 310)]


def test_pruning_keeps_the_sequences_above_the_last_large_step_down():
    pruned = 0
    for seed in range(40):
        scores = np.random.default_rng(seed).exponential(size=60)
        everything = dynamic_threshold.find(scores, 0.0).sequences
        peaks = sorted((scores[start:end].max() for start, end in everything), reverse=True)
        highest_left = max(scores[~np.isin(scores, peaks)])
        steps = [
            1 - low / high for high, low in zip(peaks, [*peaks[1:], highest_left], strict=True)
        ]
        large = [at for at, step in enumerate(steps) if step >= 0.2]
        kept = peaks[: large[-1] + 1] if large else []
        found = dynamic_threshold.find(scores, 0.2).sequences
        assert sorted((scores[start:end].max() for start, end in found), reverse=True) == kept
        pruned += len(kept) < len(peaks)
    assert pruned > 5


def test_what_stands_behind_a_large_step_stays_though_it_follows_a_small_one():
    scores = with_peaks((100, 10.0), (300, 9.9))
    assert dynamic_threshold.find(scores, 0.3).sequences == [(100, 110), (300, 310)]


def test_constant_scores_have_no_anomaly():
    for value in (0.0, 1.0):
        found = dynamic_threshold.find(np.full(50, value), 0.1)
        assert found.sequences == []
        assert found.epsilon == value


def test_the_scale_of_the_scores_is_of_no_matter():
    scores = with_peaks((300, 2.0), (600, 3.0))
    one, other = (dynamic_threshold.find(scores * scale, 0.13) for scale in (1, 1e-4))
    assert one.sequences == other.sequences
    assert other.epsilon == pytest.approx(one.epsilon * 1e-4)


def test_windows_decide_on_their_last_batch_alone_and_every_step_once():
    scores = with_peaks((50, 5.0), (850, 5.0), (950, 4.0))
    found = dynamic_threshold.flags(scores, 300, 50, 0.1)
    edges = np.flatnonzero(np.diff(found.astype(int)))
    assert (edges.reshape(-1, 2) + 1).tolist() == [[50, 60], [850, 860], [950, 960]]
    changed = scores.copy()
    changed[960:] = 50.0  # what comes later changes nothing that was decided
    again = dynamic_threshold.flags(changed, 300, 50, 0.1)
    np.testing.assert_array_equal(again[:950], found[:950])


def test_a_series_shorter_than_a_window_is_one_window():
    scores = with_peaks((50, 5.0), time=200)
    found = dynamic_threshold.flags(scores, 1000, 70, 0.1)
    assert np.flatnonzero(found).tolist() == list(range(50, 60))


def test_padding_is_part_of_a_sequence():
    scores = with_peaks((300, 5.0), (330, 5.0))
    found = dynamic_threshold.find(scores, 0.1, padding_steps=15)
    assert found.sequences == [(285, 355)]


def test_nothing_below_the_least_score_is_found():
    scores = with_peaks((300, 5.0))
    assert dynamic_threshold.find(scores, 0.1, least_score=4.9).sequences == [(300, 310)]
    assert dynamic_threshold.find(scores, 0.1, least_score=5.0).sequences == []


def test_what_lies_before_the_first_step_is_not_found_and_counts_in_the_pruning():
    scores = with_peaks((50, 5.0), (600, 5.2))
    assert dynamic_threshold.flags(scores, 1000, 70, 0.1, first_step=100)[:100].sum() == 0
    assert dynamic_threshold.find(scores, 0.1, first_step=100).sequences == []
    known = np.arange(1000) < 100
    found = dynamic_threshold.find(scores, 0.1, first_step=100, known=known)
    assert found.sequences == [(600, 610)]


def test_a_drop_is_found_where_it_is_asked_for():
    scores = calm()
    scores[400:420] = 0.1
    assert not dynamic_threshold.flags(scores, 1000, 70, 0.1).any()
    found = dynamic_threshold.flags(scores, 1000, 70, 0.1, drops=True)
    assert np.flatnonzero(found).tolist() == list(range(400, 420))


def test_a_window_full_of_peaks_is_taken_for_its_nature():
    scores = with_peaks(*((place, 5.0) for place in range(50, 1000, 150)))
    assert dynamic_threshold.find(scores, 0.1).sequences == []
