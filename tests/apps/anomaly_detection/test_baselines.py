"""The baselines find what is plain, look at nothing that comes later, and need no tidy data."""

import dataclasses

import numpy as np
import pytest

from apps.anomaly_detection import baselines
from tests.apps.anomaly_detection import made_series

NAMES = ("moving z-score", "PCA", "isolation forest", "seasonal naive")
FAULT = 1100


def spiked():
    one = made_series.one()
    one.values[FAULT, 1] += 15
    return one


def stands_out(scores):
    return scores[FAULT : FAULT + 16].max() > np.quantile(scores[:FAULT], 0.99)


@pytest.fixture(scope="module")
def found():
    return baselines.scores(spiked(), 2)


def test_there_are_four_with_a_score_for_each_step(found):
    assert tuple(found) == NAMES
    for scores in found.values():
        assert scores.shape == (1200,)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_spike_stands_out(found, name):
    assert stands_out(found[name])
    if name != "isolation forest":  # to which all that is far is equally far
        assert FAULT <= int(found[name].argmax()) <= FAULT + 16  # windows that hold it


@pytest.mark.parametrize("name", NAMES)
def test_a_score_knows_nothing_of_what_comes_later(found, name):
    one = spiked()
    one.values[FAULT + 1 :] = -50
    other = baselines.scores(one, 2)[name]
    # Blocks are centred on themselves: the last digits differ
    np.testing.assert_allclose(found[name][: FAULT + 1], other[: FAULT + 1], atol=1e-4)
    assert (np.abs(found[name][FAULT + 1 :] - other[FAULT + 1 :]) > 1e-3).any()


def test_the_blocks_that_a_series_is_read_in_change_nothing(found, monkeypatch):
    monkeypatch.setattr("apps.suite.tables.large_arrays._MOST_ROWS", 100)
    for name, scores in baselines.scores(spiked(), 2).items():
        np.testing.assert_allclose(scores, found[name], rtol=1e-4, atol=1e-5)


def test_scores_don_t_depend_on_the_unit():
    one = spiked()
    scaled = dataclasses.replace(one, values=one.values * 64 + 1024)
    for first, second in zip(
        baselines.scores(one, 2).values(), baselines.scores(scaled, 2).values(), strict=True
    ):
        np.testing.assert_allclose(first, second, rtol=1e-2, atol=1e-3)


def test_columns_that_are_only_read_count_nowhere(found):
    one = spiked()
    values = np.concatenate([one.values, np.random.default_rng(1).normal(size=(1200, 1))], axis=1)
    observed = np.ones(values.shape, bool)
    wider = dataclasses.replace(one, values=values.astype(np.float32), observed=observed)
    for name, scores in baselines.scores(wider, 2).items():
        np.testing.assert_array_equal(scores, found[name])


def test_a_missing_step_scores_nothing_and_a_spike_is_found_among_gaps():
    one = made_series.one(missing=0.1)
    one.values[FAULT] += 15
    one.observed[FAULT] = True
    one.values[900:905] = 0
    one.observed[900:905] = False
    for scores in baselines.scores(one, 2).values():
        assert (scores[900:905] == 0).all()
        assert stands_out(scores)


def test_the_seasonal_naive_looks_one_season_back(found):
    one = spiked()
    deviation = one.values[: one.train_end].std(axis=0)
    residual = (one.values[24:] - one.values[:-24]) / deviation
    expected = np.sqrt((residual**2).mean(axis=1))
    np.testing.assert_allclose(found["seasonal naive"][24:], expected, rtol=1e-4)


def test_the_z_score_is_that_of_the_steps_before(found):
    one = spiked()
    scaled = (one.values - one.values[: one.train_end].mean(axis=0)) / one.values[
        : one.train_end
    ].std(axis=0)
    before = scaled[FAULT - 24 : FAULT]
    expected = (scaled[FAULT] - before.mean(axis=0)) / before.std(axis=0)
    np.testing.assert_allclose(
        found["moving z-score"][FAULT], np.sqrt((expected**2).mean()), rtol=1e-4
    )


@pytest.mark.parametrize("values", [np.zeros((60, 1)), np.eye(60, 1)])
def test_a_series_that_hardly_changes_or_is_short_is_no_error(values):
    one = made_series.one(count=60, columns=1)
    one = dataclasses.replace(one, values=values.astype(np.float32))
    for scores in baselines.scores(one, 1).values():
        assert np.isfinite(scores).all()
