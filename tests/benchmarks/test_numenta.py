"""The benchmark's parts: its corpus, its reference detector as published, its unlabelled budget."""

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks import numenta, numenta_detectors, numenta_score

FOLDER = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "nab"


@pytest.fixture(scope="module")
def files():
    if not FOLDER.is_dir():
        pytest.skip(f"the benchmark's data are not in {FOLDER.resolve()}")
    return numenta.read(FOLDER)


def test_the_corpus_is_whole(files):
    assert len(files) == 58
    assert sum(len(file.values) for file in files) == 365_558
    assert sum(len(file.windows) for file in files) == 116


def test_the_windowed_gaussian_scores_as_published(files):
    corpus = [
        numenta_score.Scored(numenta_detectors.windowed_gaussian(file.values), file.windows)
        for file in files
    ]
    for profile, published in (
        (numenta_score.STANDARD, 39.649523),
        (numenta_score.FEW_FALSE_ALARMS, 20.867986),
        (numenta_score.FEW_MISSES, 47.410027),
    ):
        found = numenta_score.corpus_score(corpus, 116, 1.0, profile)
        assert found == pytest.approx(published, abs=1e-5)


def test_the_windowed_gaussian_is_its_definition_step_by_step():
    values = np.random.default_rng(0).normal(5, 2, 120)
    values[50:60] = values[49]
    fast = numenta_detectors.windowed_gaussian(values, window=30, slide=10)
    for step in range(1, 120):
        if step <= 30:
            known = values[:step]
        else:
            end = 30 + (step - 30) // 10 * 10
            known = values[end - 30 : end]
        distance = abs(values[step] - known.mean()) / (known.std() or 1e-6)
        tail = math.erfc(distance / math.sqrt(2)) / 2
        assert fast[step] == pytest.approx(1 - tail, abs=1e-9)


def test_the_threshold_of_the_budget_is_the_lowest_that_keeps_it():
    random = np.random.default_rng(1)
    scores = []
    for _ in range(3):
        each = np.full(6_000, -1.0)
        each[random.choice(np.arange(1_000, 6_000), 12, replace=False)] = random.choice(
            [0.015, 0.035, 0.2], 12
        )
        scores.append(each)
    budget = 3 * (6_000 - 750) / numenta_detectors.STEPS_AN_ALARM

    def raised(tolerance):
        return sum(numenta_detectors.alarms(each, tolerance).sum() for each in scores)

    chosen = numenta_detectors.tolerance_of_budget(scores)
    assert raised(chosen) <= budget < raised(chosen - 0.01)


def test_an_alarm_is_its_first_step_and_is_followed_by_a_rest():
    scores = np.full(200, -1.0)
    scores[[50, 51, 60, 100]] = 1.0
    assert np.flatnonzero(numenta_detectors.alarms(scores, 0.02)).tolist() == [50, 100]


def test_only_the_first_part_of_a_series_sets_its_scale():
    values = np.concatenate([np.random.default_rng(2).normal(7, 3, 150), np.full(850, 1e6)])
    made = numenta_detectors.collection([numenta_detectors.File("a", values, [])])
    (one,) = made.series
    assert one.train_end == 150
    assert one.values[:150].mean() == pytest.approx(0, abs=1e-5)
    assert one.values[:150].std() == pytest.approx(1, abs=1e-5)
