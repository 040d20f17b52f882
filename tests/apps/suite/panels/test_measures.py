"""Measures are those of the literature, and baselines those that their names say."""

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from apps.suite.panels import measures, naive_forecasts


def test_measures_agree_with_utilsforecast():
    draw = np.random.default_rng(0)
    truth = draw.normal(5, 2, (2, 10, 1)).astype(np.float32)
    median = truth + draw.normal(0, 1, truth.shape).astype(np.float32)
    history = draw.normal(5, 2, (2, 40)).astype(np.float32)
    scales = np.stack([measures._scale(row[:, None], 7) for row in history])
    test = measures.Test([(0, 40), (1, 40)], truth, scales, np.ones((2, 1)))
    found = measures.points(test, median)
    names = np.repeat(["a", "b"], 10)
    table = pd.DataFrame({"unique_id": names, "y": truth.ravel(), "m": median.ravel()})
    past = pd.DataFrame({"unique_id": np.repeat(["a", "b"], 40), "y": history.ravel()})
    assert found["mae"] == pytest.approx(losses.mae(table, ["m"])["m"].mean(), rel=1e-5)
    assert found["smape"] == pytest.approx(200 * losses.smape(table, ["m"])["m"].mean(), rel=1e-5)
    mase = losses.mase(table, ["m"], seasonality=7, train_df=past)["m"].mean()
    assert found["mase"] == pytest.approx(mase, rel=1e-5)


def test_a_constant_series_has_no_mase_and_two_zeros_no_error():
    truth = np.zeros((2, 3, 1), np.float32)
    test = measures.Test([(0, 9), (1, 9)], truth, np.full((2, 1), np.nan), np.full((2, 1), np.nan))
    found = measures.points(test, truth)
    assert found["smape"] == found["mae"] == 0
    assert not {"mase", "scaled_mae"} & found.keys()


def test_seasonal_baselines_read_whole_seasons_and_hold_gaps():
    values = np.arange(12.0)[None, :, None]
    np.testing.assert_array_equal(naive_forecasts.mean_of_seasons(values, 5, 4, 1)[0, :, 0],
                                  [8, 9, 10, 11, 8])  # fmt: skip
    np.testing.assert_array_equal(naive_forecasts.mean_of_seasons(values, 5, 4, 2)[0, :, 0],
                                  [6, 7, 8, 9, 6])  # fmt: skip
    gaps = np.array([np.nan, 2, np.nan, 3, np.nan])[None, :, None]
    np.testing.assert_array_equal(naive_forecasts.filled(gaps)[0, :, 0], [2, 2, 2, 3, 3])
