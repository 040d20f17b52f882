import numpy as np
import pytest

from apps.suite.evaluation import intervals


@pytest.mark.parametrize("width", [0.2, 1.0, 5.0])
def test_intervals_cover_what_was_asked_for_however_wide_they_were(width):
    draw = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        truth, new = draw.normal(size=100), draw.normal(size=100)
        offset = intervals.conformal_offset(
            np.full(100, -width), np.full(100, width), truth, coverage=0.9
        )
        ends = np.full(100, width + offset)
        covered.append(intervals.coverage(-ends, ends, new))
    assert 0.89 < np.mean(covered) < 0.92


def test_the_offset_is_the_score_at_its_place():
    truth = np.arange(9.0)  # scores 0 to 8 of the interval [0, 0]
    zeros = np.zeros(9)
    assert intervals.conformal_offset(zeros, zeros, truth, 0.9) == 8  # ceil(10 · 0.9) = 9th
    assert intervals.conformal_offset(zeros, zeros, truth, 0.5) == 4
    assert intervals.conformal_offset(zeros - 20, zeros + 20, truth, 0.9) == -12


def test_cases_without_a_truth_do_not_count():
    truth = np.array([*range(9), np.nan, np.nan])
    zeros = np.zeros(11)
    assert intervals.conformal_offset(zeros, zeros, truth, 0.9) == 8
    assert intervals.coverage(zeros, zeros + 4, truth) == 5 / 9


@pytest.mark.parametrize(("share", "least"), [(0.9, 9), (0.95, 19), (0.5, 1), (0.8, 4)])
def test_too_few_cases_for_a_coverage_are_refused(share, least):
    zeros = np.zeros(least)
    intervals.conformal_offset(zeros, zeros, zeros, share)
    with pytest.raises(ValueError, match=f"at least {least} are needed"):
        intervals.conformal_offset(zeros[1:], zeros[1:], zeros[1:], share)


def test_the_bootstrap_draws_whole_units():
    """Steps of one unit are alike: an interval over steps would be ten times too narrow."""
    draw = np.random.default_rng(1)
    of_units = draw.normal(size=40)
    values, units = np.repeat(of_units, 100), np.repeat(np.arange(40), 100)
    sums, counts = (
        intervals.sums_by_unit(each, units, 40) for each in (values, np.ones(len(values)))
    )

    def mean(chosen):
        return sums[chosen].sum() / counts[chosen].sum()

    found = intervals.bootstrap(mean, 40, seed=0)
    expected = 2 * 1.96 * of_units.std() / np.sqrt(40)
    assert found.low < of_units.mean() < found.high
    assert 0.8 * expected < found.high - found.low < 1.2 * expected
    assert found == intervals.bootstrap(mean, 40, seed=0)
