import math

import numpy as np
import pytest

from benchmarks import numenta_score
from benchmarks.numenta_score import Scored


def sigmoid(position):
    return 2 / (1 + math.exp(5 * position)) - 1


def detections(steps, *places):
    scores = np.zeros(steps)
    scores[list(places)] = 1
    return scores


def raw(scores, windows, profile=numenta_score.STANDARD):
    """The raw score of one series, from its normalised one."""
    corpus = [Scored(scores, windows)]
    nothing = -profile.false_negative * len(windows)
    normalised = numenta_score.corpus_score(corpus, len(windows), 0.5, profile)
    return nothing + normalised / 100 * (len(windows) * profile.true_positive - nothing)


def test_no_detection_is_0_and_the_first_step_of_each_window_100():
    windows = [(300, 399), (700, 799)]
    for scores, expected in ((detections(1000), 0), (detections(1000, 300, 700), 100)):
        assert numenta_score.corpus_score([Scored(scores, windows)], 2, 0.5) == pytest.approx(
            expected
        )


def test_a_window_earns_by_its_earliest_detection():
    # The tenth step of a window of 100 stands at -(100 - 9) / 100.
    earned = sigmoid(-0.91) / sigmoid(-1)
    assert raw(detections(1000, 309), [(300, 399)]) == pytest.approx(earned)
    assert raw(detections(1000, 309, 310, 399), [(300, 399)]) == pytest.approx(earned)


def test_false_detections_cost_by_their_distance_from_the_window_before():
    one = sigmoid(-1) / sigmoid(-1)
    for place, cost in (
        (200, 1.0),  # before any window
        (400, -sigmoid(1 / 99)),  # just behind it: almost nothing
        (498, -sigmoid(1)),
        (900, 1.0),  # more than three widths behind
    ):
        found = raw(detections(1000, 300, place), [(300, 399)])
        assert found == pytest.approx(one - 0.11 * cost)


def test_probation_neither_pays_nor_costs():
    assert numenta_score.probation_steps(1000) == 150
    assert numenta_score.probation_steps(100_000) == 750
    assert raw(detections(1000, 10, 149, 300), [(300, 399)]) == pytest.approx(1)
    assert raw(detections(1000, 150, 300), [(300, 399)]) == pytest.approx(1 - 0.11)


def test_a_window_inside_probation_is_not_missed_but_stays_in_the_perfect_score():
    windows = [(20, 60), (300, 399)]
    score = numenta_score.corpus_score([Scored(detections(1000, 300), windows)], 2, 0.5)
    assert score == pytest.approx(100 * 2 / 3)


def test_a_profile_weighs_misses_and_false_detections():
    windows = [(300, 399), (700, 799)]
    scores = detections(1000, 200, 300)
    assert raw(scores, windows, numenta_score.FEW_MISSES) == pytest.approx(1 - 0.11 - 2)
    assert raw(scores, windows, numenta_score.FEW_FALSE_ALARMS) == pytest.approx(1 - 0.22 - 1)


def test_the_best_threshold_is_the_best_of_all():
    generator = np.random.default_rng(0)
    corpus = []
    for windows in ([(300, 399), (700, 799)], [], [(500, 520)]):
        scores = np.round(generator.random(1000), 2)  # with ties
        for first, last in windows:
            scores[first + 5 : last] += 0.3
        corpus.append(Scored(scores, windows))
    threshold, best = numenta_score.best_threshold(corpus, 3)
    levels = np.append(np.unique(np.concatenate([each.scores for each in corpus])), np.inf)
    tried = [numenta_score.corpus_score(corpus, 3, level) for level in levels]
    assert best == pytest.approx(max(tried))
    assert best == pytest.approx(numenta_score.corpus_score(corpus, 3, threshold))


def test_the_best_threshold_of_a_useless_detector_flags_nothing():
    scores = np.zeros(1000)
    scores[200:250] = 1
    threshold, best = numenta_score.best_threshold([Scored(scores, [(900, 950)])], 1)
    assert threshold == np.inf
    assert best == 0


def test_each_series_may_have_a_threshold_of_its_own():
    corpus = [Scored(10 * detections(1000, 300), [(300, 399)]), Scored(detections(1000, 500), [])]
    assert numenta_score.corpus_score(corpus, 1, [5.0, 2.0]) == pytest.approx(100)
    assert numenta_score.corpus_score(corpus, 1, [5.0, 0.5]) < 100
