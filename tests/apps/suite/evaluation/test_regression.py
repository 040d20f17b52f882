"""Values are measured by the truths that are known, over units, and drawn with their intervals."""

import numpy as np
import pytest

from apps.suite.evaluation import regression
from apps.suite.report_blocks import value_plots


def test_errors_are_those_of_the_known_truths():
    truths = np.array([[1.0, 5.0], [3.0, np.nan], [5.0, 9.0]])
    values = np.array([[2.0, 5.0], [3.0, 1e6], [3.0, 9.0]])
    found = regression.errors_of(values, truths)
    assert found["rmse"] == pytest.approx(np.sqrt((1 + 0 + 4 + 0 + 0) / 5))
    assert found["mae"] == pytest.approx(3 / 5)
    assert found["r2"] == pytest.approx((1 - 5 / 8 + 1) / 2)


def test_the_interval_of_the_rmse_is_over_units_and_not_over_steps():
    draw = np.random.default_rng(0)
    units = np.repeat(np.arange(30), 50)
    values = np.repeat(draw.normal(size=30), 50)[:, None]
    found = regression.rmse_interval(values, np.zeros_like(values), units, 0)
    steps = regression.rmse_interval(values, np.zeros_like(values), np.arange(1500), 0)
    assert found.high - found.low > 4 * (steps.high - steps.low)


def test_answers_beside_truths_and_a_course_of_several_targets_are_drawn(tmp_path):
    truths = np.array([[1.0, 2.0], [2.0, np.nan], [4.0, 5.0]])
    found = regression.Answers(truths + 0.5, truths, truths + 1)
    plot = value_plots.truth_and_answer(tmp_path, ("a", "b"), found, truths)
    assert "a for 3 test cases; correlation 1.000" in plot.alternative
    value = np.nan_to_num(found.value)
    course = regression.Course("c", regression.Answers(value, value - 1, value + 1), truths)
    value_plots.write_png(tmp_path / "course.png", course, ("a", "b"))
    assert (tmp_path / "course.png").read_bytes().startswith(b"\x89PNG")
