"""The smoothed level and its drift are those of Theta, with and without gaps."""

import numpy as np
import pytest
from statsmodels.tsa.holtwinters import SimpleExpSmoothing

from apps.forecasting import smoothing


def test_level_and_course_are_those_of_exponential_smoothing_with_half_of_the_drift():
    draw = np.random.default_rng(0)
    steps = np.arange(90.0)
    values = (0.1 * steps + np.cumsum(draw.normal(0, 0.3, 90)) + draw.normal(0, 1, 90))[None]
    found = smoothing.theta(values.astype(np.float32), np.ones((1, 90), np.float32), 5)
    level, ahead = (each.numpy() for each in found)
    weights = np.array(smoothing._WEIGHTS)
    half = np.polyfit(steps, values[0], 1)[0] / 2
    # That of a = w: what comes before the 90 steps no longer counts, for any start
    levels = [
        SimpleExpSmoothing(values[0], initialization_method="known", initial_level=values[0, 0])
        .fit(smoothing_level=weight, optimized=False).forecast(1)[0]
        for weight in weights
    ]  # fmt: skip
    best = np.argmin(np.abs(np.array(levels) - level[0]))
    assert level[0] == pytest.approx(levels[best], abs=0.02)
    wanted = half * (np.arange(5) + 1 / weights[best])
    np.testing.assert_allclose(ahead[0], wanted, rtol=2e-2)


def test_a_gap_is_stepped_over_and_an_empty_window_stays_at_0():
    values = np.array([[1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10]], np.float32)
    wide, there = np.zeros((2, 15), np.float32), np.zeros((2, 15), np.float32)
    places = [0, 1, 2, 3, 4, 8, 9, 11, 13, 14]
    wide[0, places], there[0, places] = values, 1
    level, course = (each.numpy() for each in smoothing.theta(wide, there, 3))
    plain, _ = smoothing.theta(values, np.ones_like(values), 3)
    assert level[0] == pytest.approx(plain.numpy()[0])
    assert (level[1], course[1].tolist()) == (0, [0, 0, 0])
