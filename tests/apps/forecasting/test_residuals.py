"""Errors that still know of each other are found, and white ones are left alone."""

import numpy as np
import pytest

from apps.forecasting import residuals, serving
from apps.suite.export import asking
from tests.apps.forecasting import small_run


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


@pytest.mark.parametrize(
    ("kind", "steps"), [("direct", 20), pytest.param("autoregressive", 18, marks=pytest.mark.slow)]
)
def test_errors_are_those_of_one_step_after_the_truth(kind, steps):
    panel = small_run.panel()
    trained = small_run.trained(kind=kind, linear=kind == "direct")
    model = asking.of_served("forecasting", serving.ServedForecaster(trained))
    found = residuals.one_step(model, trained, panel)
    assert [len(each) for each in found] == [steps] * 3
    one = panel.series[0]
    truth = one.target[one.length - steps : one.length, 0]
    np.testing.assert_array_equal(np.isnan(found[0]), np.isnan(truth))
