import numpy as np
import pytest

from benchmarks import novelty


def test_a_statistic_is_measured_against_the_range_of_its_past():
    found = novelty.out_of_range(np.array([0.0, 10, 5, 11, -2, 12]))
    # Range 0: infinitely far; inside by half; 1 above 10 wide; 2 below 11 wide; 1 above 13 wide.
    np.testing.assert_allclose(found, [-1, np.inf, -0.5, 0.1, 2 / 11, 1 / 13])


def test_the_lower_side_can_be_left_out():
    found = novelty.out_of_range(np.array([0.0, 10, -20, 11]), below=False)
    assert found[2] < 0
    assert found[3] == pytest.approx(1 / 30)


def test_a_constant_is_not_new_and_leaving_it_is():
    assert (novelty.out_of_range(np.zeros(5)) == -1).all()
    assert novelty.out_of_range(np.array([3.0, 3, 3.1]))[2] == np.inf


def test_the_forgetting_mean_is_its_recurrence():
    values = np.random.default_rng(0).normal(size=50)
    expected = [values[0]]
    for value in values[1:]:
        expected.append(expected[-1] + (value - expected[-1]) / 7)
    np.testing.assert_allclose(novelty.forgetting_mean(values, 7), expected, rtol=1e-12)


def test_a_score_depends_on_the_past_alone():
    generator = np.random.default_rng(1)
    values, residuals = generator.normal(size=(2, 300, 3))
    whole = novelty.score(values, residuals)
    for end in (60, 150, 299):
        np.testing.assert_array_equal(novelty.score(values[:end], residuals[:end]), whole[:end])


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scale_and_origin_of_the_values_do_not_matter(scale):
    generator = np.random.default_rng(2)
    values, residuals = generator.normal(size=(2, 200, 2))
    found = novelty.score(scale * values + 3 * scale, 5 * residuals)
    np.testing.assert_allclose(found, novelty.score(values, residuals), atol=1e-6)


def test_the_highest_channel_counts():
    generator = np.random.default_rng(3)
    values, residuals = generator.normal(size=(2, 200, 2))
    alone = [novelty.score(values[:, [at]], residuals[:, [at]]) for at in (0, 1)]
    np.testing.assert_array_equal(novelty.score(values, residuals), np.maximum(*alone))


def test_steps_that_were_not_observed_change_nothing():
    generator = np.random.default_rng(4)
    values, residuals = generator.normal(size=(2, 200, 1))
    observed = generator.random((200, 1)) > 0.2
    seen = observed[:, 0]
    values[~observed], residuals[~observed] = 1e9, 1e9
    found = novelty.score(values, residuals, observed)
    np.testing.assert_array_equal(found[seen], novelty.score(values[seen], residuals[seen]))
    assert (found[~seen] == -1).all()


@pytest.mark.parametrize(
    ("name", "values", "residuals"),
    [
        ("a level in reach that lasts", {"add": 0.0}, {"add": 0.8}),
        ("residuals that grow", {"add": 0.0}, {"times": 6.0}),
        ("a value never seen", {"add": 60.0}, {"add": 0.0}),
    ],
)
def test_what_it_is_there_to_find_is_found_within_an_hour_of_minutes(name, values, residuals):
    generator = np.random.default_rng(5)
    x = 5 * np.sin(np.arange(2000) / 20) + generator.normal(size=2000)
    r = generator.normal(size=2000)
    change = slice(1800, 1860)
    x[change] += values["add"]
    r[change] = r[change] * residuals.get("times", 1.0) + residuals.get("add", 0.0)
    found = novelty.score(x[:, None], r[:, None])
    assert (found[1000:1800] > novelty.TOLERANCE).sum() <= 3
    assert (found[change] > novelty.TOLERANCE).any(), name


def test_records_become_rare():
    generator = np.random.default_rng(6)
    steps = 4000
    early = late = 0
    for _ in range(20):
        values, residuals = generator.normal(size=(2, steps, 1))
        new = novelty.score(values, residuals) > 0
        early, late = early + new[100:1000].sum(), late + new[2000:].sum()
    assert late < early / 2
