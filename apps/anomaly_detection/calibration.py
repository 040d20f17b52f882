"""Fits a network's normaliser and threshold on the validation parts, and measures its loss."""

from __future__ import annotations

import keras
import numpy as np

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import detector, score_stream, scoring, series_scales, thresholds
from apps.suite import errors
from apps.suite.tables import series

_LEAST_WARM_UP_STEPS = 256


def plain_detector(
    network: keras.Model, config: configs.Config, scored_count: int
) -> detector.Detector:
    """Builds a detector whose scores are plain residuals, before anything is calibrated."""
    errors = detector.residual_stream(network, config).errors
    nothing = score_stream.Normaliser(np.zeros(errors, np.float32), np.ones(errors, np.float32))
    return detector.Detector(network, config, nothing, 0.0)


def mean_square(
    plain: detector.Detector, config: configs.Config, collection: series.Collection
) -> float:
    """Returns the mean square of the validation residuals, cut as inputs are; 0 without any."""
    count = collection.scored_count
    residuals, valid = (each[:, :count] for each in _residuals(plain, config, collection))
    cut = np.clip(residuals[valid], -config.model.clip_deviations, config.model.clip_deviations)
    return float(np.mean(cut**2, dtype=np.float64)) if len(cut) else 0.0


def fit(
    network: keras.Model,
    config: configs.Config,
    collection: series.Collection,
    by_series: bool = False,
) -> tuple[score_stream.Normaliser, thresholds.Threshold, list[float]]:
    """Fits normaliser and threshold on the validation parts' residuals and scores, not on labels.

    Returns also the level of each series' scores: 1, or `series_scales.levels` with `by_series`.
    The threshold is for scores that are divided by them.

    Raises:
        UserError: validation parts without any value that has a score.
    """
    plain = plain_detector(network, config, collection.scored_count)
    residuals, valid = _residuals(plain, config, collection)
    normaliser = score_stream.fit_normaliser(residuals, valid)
    if residuals.shape[1] > collection.scored_count:
        share = config.score.season_share
        alone = score_stream.fit_alone(normaliser, residuals, valid, share)
        normaliser = normaliser._replace(alone=alone)
    scores = _scores(detector.Detector(network, config, normaliser, 0.0), config, collection)
    if not any(len(each) for each in scores):
        raise errors.UserError(
            f"{collection.source}: no value in the validation part can be scored, so there is "
            "nothing to fit a threshold on; give a larger data_format.validation_fraction"
        )
    if config.score.level_steps:
        normaliser = normaliser._replace(level=score_stream.fit_level(np.concatenate(scores)))
        scores = _scores(detector.Detector(network, config, normaliser, 0.0), config, collection)
    step_seconds = collection.series[0].step_seconds
    levels = series_scales.levels(scores) if by_series else [1.0] * len(scores)
    scores = [each / level for each, level in zip(scores, levels, strict=True)]
    threshold = thresholds.fit(config.threshold, scores, step_seconds, config.events)
    return normaliser, threshold, levels


def _scores(
    detector: detector.Detector, config: configs.Config, collection: series.Collection
) -> list[np.ndarray]:
    """Returns the scores of each validation part, without the steps that have none."""
    return [found.scores[found.valid] for _, found in _validation(detector, config, collection)]


def _residuals(
    detector: detector.Detector, config: configs.Config, collection: series.Collection
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the residuals of all validation parts, and their validity, both [time, scored].

    The errors of the season follow in further columns, where they count.
    """
    count = collection.scored_count
    residuals, valid = [], []
    for one, found in _validation(detector, config, collection):
        observed = one.observed[one.train_end : one.validation_end, :count]
        known = np.isfinite(found.season_errors)
        season = np.where(known, found.season_errors, 0)
        residuals.append(np.concatenate([found.residuals[:, :count], season], axis=1))
        valid.append(np.concatenate([observed & found.valid[:, None], known], axis=1))
    return np.concatenate(residuals), np.concatenate(valid)


def _validation(
    detector: detector.Detector, config: configs.Config, collection: series.Collection
) -> list[tuple[series.Series, scoring.Scored]]:
    """Yields each series and the scores of its validation part, read on from the train part."""
    warm_up = max(_LEAST_WARM_UP_STEPS, config.stretch_steps)
    spans = [
        scoring.Span(one, max(0, one.train_end - warm_up), one.validation_end)
        for one in collection.series
    ]
    found = scoring.score_spans(detector, spans)
    return [
        (span.one, scoring.Scored(*(each[span.one.train_end - span.start :] for each in scored)))
        for span, scored in zip(spans, found, strict=True)
    ]
