"""Normaliser and threshold are fitted on what the validation parts alone say, read from before."""

import dataclasses

import numpy as np
import pytest

from apps.anomaly_detection import calibration, scoring
from apps.suite.tables import series
from tests.apps.anomaly_detection import small_model

every_kind = pytest.mark.parametrize("kind", small_model.KINDS)


def collection(*many):
    return series.Collection(
        "small", "none", "here", "0", "in order", small_model.NAMES, small_model.SCORED, many
    )


def made(kind="forecaster"):
    return small_model.trained(**small_model.KINDS[kind])


def many():
    return collection(*(small_model.a_series(200, seed=seed, name=str(seed)) for seed in (1, 2)))


def residuals(trained, one):
    """Those of the validation part, and which are valid."""
    plain = calibration.plain_detector(trained.network, trained.config, small_model.SCORED)
    found = scoring.score_spans(plain, [scoring.Span(one, 0, one.validation_end)])[0]
    part = slice(one.train_end, one.validation_end)
    valid = one.observed[part, : small_model.SCORED] & found.valid[part, None]
    return found.residuals[part, : small_model.SCORED], valid


@every_kind
def test_the_loss_is_the_mean_square_of_all_validation_residuals(kind):
    trained, given = made(kind), many()
    plain = calibration.plain_detector(trained.network, trained.config, small_model.SCORED)
    found = calibration.mean_square(plain, trained.config, given)
    parts = [residuals(trained, one) for one in given.series]
    errors = np.concatenate([values[valid] for values, valid in parts])
    assert found == pytest.approx(np.mean(np.clip(errors, -10, 10) ** 2), rel=1e-4)


@every_kind
def test_most_validation_scores_are_about_1_and_few_are_above_the_threshold(kind):
    trained, given = made(kind), many()
    normaliser, threshold, _ = calibration.fit(trained.network, trained.config, given)
    parts = [residuals(trained, one) for one in given.series]
    values, valid = (np.concatenate(each) for each in zip(*parts, strict=True))
    for channel in range(small_model.SCORED):
        usual = values[valid[:, channel], channel]
        assert normaliser.location[channel] == pytest.approx(np.median(usual), abs=1e-4)
    calibrated = dataclasses.replace(trained, normaliser=normaliser, threshold=threshold)
    scored = scoring.score_all(calibrated, given.series)
    above = sum(
        int((found.scores[one.train_end : one.validation_end] > threshold.value).sum())
        for one, found in zip(given.series, scored, strict=True)
    )
    assert above <= 1


def test_labels_and_test_parts_are_not_read():
    trained, given = made(), many()
    expected = calibration.fit(trained.network, trained.config, given)
    spoilt = [
        dataclasses.replace(one, values=one.values.copy(), labels=np.ones(len(one), bool))
        for one in given.series
    ]
    for one in spoilt:
        one.values[one.validation_end :] = np.nan
    normaliser, threshold, _ = calibration.fit(trained.network, trained.config, collection(*spoilt))
    for found, wanted in zip(normaliser, expected[0], strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert threshold == expected[1]


def test_a_validation_part_without_any_value_is_no_loss_and_no_crash():
    trained = made()
    one = small_model.a_series(200)
    one.observed[one.train_end : one.validation_end] = False
    plain = calibration.plain_detector(trained.network, trained.config, small_model.SCORED)
    assert calibration.mean_square(plain, trained.config, collection(one)) == 0.0
