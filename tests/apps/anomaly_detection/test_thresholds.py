"""Thresholds keep the alarm rate that they promise, on data that they have not seen."""

import math

import numpy as np
import pytest
from scipy import stats

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import events, thresholds

HALF_HOUR = 1800.0
METHODS = ("quantile", "peaks_over_threshold", "dynamic", "alarm_budget")
every_method = pytest.mark.parametrize("method", METHODS)


def scores(time, seed=0, series=1):
    draw = np.random.default_rng(seed)
    return [np.abs(draw.standard_t(5, time)) for _ in range(series)]


def weeks(many):
    return sum(map(len, many)) * HALF_HOUR / thresholds.WEEK_SECONDS


def fitted(method, many, event_settings=configs.EventConfig(), **settings):
    made = configs.ThresholdConfig(method=method, **settings)
    return thresholds.fit(made, many, HALF_HOUR, event_settings)


def alarms_per_week(value, many):
    return events.count([each > value for each in many]) / weeks(many)


@every_method
def test_the_expected_alarms_come_on_data_like_validation(method):
    threshold = fitted(method, scores(100_000, series=4))
    found = alarms_per_week(threshold.value, scores(1_000_000, seed=1, series=2))
    assert threshold.method == method
    assert found == pytest.approx(threshold.expected_alarms_per_week, rel=0.35)


@pytest.mark.parametrize("budget", [0.2, 1.0, 20.0])
def test_a_budget_is_kept_on_validation_and_nearly_on_the_rest(budget):
    validation = scores(20_000)
    threshold = fitted("alarm_budget", validation, alarms_per_week=budget)
    assert alarms_per_week(threshold.value, validation) <= budget
    found = alarms_per_week(threshold.value, scores(2_000_000, seed=1))
    assert found == pytest.approx(budget, rel=0.3)


def test_a_budget_takes_the_lowest_threshold_that_keeps_it():
    validation = scores(20_000)
    threshold = fitted("alarm_budget", validation, alarms_per_week=3.0)
    lower = validation[0][validation[0] < threshold.value].max()
    assert alarms_per_week(lower, validation) > 3.0


def test_a_budget_below_one_event_reaches_beyond_the_highest_score():
    validation = scores(1_000)  # three weeks
    threshold = fitted("alarm_budget", validation, alarms_per_week=0.05)
    assert threshold.value > validation[0].max()
    assert threshold.expected_alarms_per_week == pytest.approx(0.05, rel=1e-3)
    assert thresholds.told(threshold, 0.05) == ""


def test_a_budget_that_the_validation_part_is_too_short_for_is_raised_and_told():
    validation = scores(200)
    minutes = thresholds.fit(configs.ThresholdConfig(), validation, step_seconds=1.0)
    rarest = 0.1 * thresholds.WEEK_SECONDS / 200
    assert minutes.expected_alarms_per_week == pytest.approx(rarest, rel=1e-3)
    assert validation[0].max() <= minutes.value < 3 * validation[0].max()
    assert "too short for 1 alarms a week" in thresholds.told(minutes, 1.0)
    assert f"{rarest:.3g} a week" in thresholds.told(minutes, 1.0)


def test_a_budget_counts_events_and_not_steps():
    validation = scores(20_000)
    apart = fitted("alarm_budget", validation, alarms_per_week=3.0)
    merged = configs.EventConfig(merge_steps=500)
    together = fitted("alarm_budget", validation, merged, alarms_per_week=3.0)
    assert together.value < apart.value


def test_peaks_over_threshold_is_the_quantile_of_a_known_tail():
    true = stats.genpareto(0.2)
    drawn = [true.rvs(50_000, random_state=0)]
    threshold = fitted("peaks_over_threshold", drawn, risk=1e-4, tail_fraction=0.02)
    assert threshold.value == pytest.approx(true.isf(1e-4), rel=0.15)
    assert threshold.parameters["tail_shape"] == pytest.approx(0.2, abs=0.1)


def test_a_quantile_is_numpy_s_over_all_series():
    validation = scores(500, series=3)
    threshold = fitted("quantile", validation, quantile=0.99)
    assert threshold.value == np.quantile(np.concatenate(validation), 0.99)


@every_method
@pytest.mark.parametrize(
    "odd", [np.zeros(100), np.ones(3), np.r_[np.zeros(99), 1.0], np.arange(5.0)]
)
def test_odd_scores_still_give_finite_thresholds(method, odd):
    threshold = fitted(method, [odd])
    assert math.isfinite(threshold.value)
    assert math.isfinite(threshold.expected_alarms_per_week)
    assert threshold.expected_alarms_per_week >= 0


@every_method
def test_the_order_of_the_series_is_of_no_matter(method):
    validation = scores(3_000, series=3)
    assert fitted(method, validation) == fitted(method, validation[::-1])


@pytest.mark.parametrize("none", [[], [np.zeros(0)], [np.array([1.0, math.nan])]])
def test_without_finite_scores_there_is_no_threshold(none):
    with pytest.raises(ValueError, match="finite"):
        fitted("quantile", none)


def test_flags_of_a_series_are_over_the_value_and_those_of_dynamic_are_its_own():
    series = scores(3_000)[0]
    series[1500:1510] = 40.0
    settings = configs.ThresholdConfig(dynamic_window_steps=1000)
    fixed = thresholds.Threshold(30.0, "quantile", 0.0)
    np.testing.assert_array_equal(thresholds.flags(fixed, settings, series), series > 30)
    dynamic = thresholds.flags(thresholds.Threshold(1e9, "dynamic", 0.0), settings, series)
    assert dynamic[1500:1510].all()


def test_a_tail_and_its_inverse_agree():
    tail = thresholds.fit_steps(scores(10_000), 0.02)
    for expected in (100.0, 3.0, 0.01):
        assert tail.exceedances(tail.value_of(expected)) == pytest.approx(expected, rel=1e-6)
    assert tail.exceedances(tail.start) == tail.count
