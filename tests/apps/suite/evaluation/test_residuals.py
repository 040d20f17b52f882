"""Errors that still know of each other are found, and white ones are left alone."""

import numpy as np

from apps.suite.evaluation import residuals


def test_white_errors_pass_and_those_that_repeat_are_told():
    draw = np.random.default_rng(1)
    white = draw.normal(size=(10, 300))
    found = residuals.look(list(white), 24)
    assert found.rejected <= 2
    assert abs(found.autocorrelation[1]) < 0.06
    repeating = white.copy()
    for at in range(1, 300):
        repeating[:, at] += 0.6 * repeating[:, at - 1]
    repeating[:, ::50] = np.nan
    found = residuals.look(list(repeating), 24)
    assert found.rejected == 10
    assert 0.5 < found.autocorrelation[1] < 0.7
    weekly = np.tile(draw.normal(size=(10, 24)), (1, 12)) + white[:, :288]
    assert residuals.look(list(weekly), 24).autocorrelation[24] > 0.3
    assert residuals.look([np.zeros(300), white[0, :5]], 24) is None
