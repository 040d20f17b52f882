"""Runs detectors on the Numenta Anomaly Benchmark: its reference detector, and ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import events
from apps.suite.tables import series
from benchmarks import numenta_score

STEPS_AN_ALARM = 1_008
COOL_DOWN_STEPS = 25
TOLERANCES = [percent / 100 for percent in range(1, 11)]
CONFIG = configs.Config(
    model=configs.ModelConfig(units=32, window_steps=128, dropout=0.0, clip_deviations=8.0),
    training=configs.TrainingConfig(
        batch_size=32, burn_in_steps=16, steps=1_000, steps_per_checkpoint=1_000
    ),
)


class File(NamedTuple):
    """A series of the benchmark: its values float64 [time], and its labelled windows."""

    name: str
    values: np.ndarray
    windows: list[tuple[int, int]]


def windowed_gaussian(values: np.ndarray, window: int = 6400, slide: int = 100) -> np.ndarray:
    """The benchmark's reference detector: 1 less the Gaussian tail beyond a value's distance.

    Mean and deviation are of all values before, as long as there are fewer than `window`, then of
    a window that slides on by `slide` at a time. The scores are rounded to 12 places, as the
    benchmark keeps them; its published threshold is 1.
    """
    import scipy.special

    place = np.arange(len(values))
    end = np.where(place <= window, place, window + (place - window) // slide * slide)
    start = np.maximum(end - window, 0)
    counts = np.maximum(end - start, 1)
    moved = values - values[0]  # so that the sums of a constant are exactly 0
    sums, squares = (np.concatenate([[0.0], np.cumsum(each)]) for each in (moved, moved**2))
    mean = (sums[end] - sums[start]) / counts
    variance = (squares[end] - squares[start]) / counts - mean**2
    deviation = np.sqrt(np.maximum(variance, 0))
    deviation[deviation == 0] = 1e-6
    tail = scipy.special.erfc(np.abs(moved - mean) / deviation / np.sqrt(2)) / 2
    scores = np.round(1 - tail, 12)
    scores[0] = 0
    return scores


def collection(files: Sequence[File]) -> series.Collection:
    """The files with their first 15 % to train on, scaled by it: one model then fits them all."""
    many = []
    for file in files:
        steps = numenta_score.probation_steps(len(file.values))
        mean, deviation = file.values[:steps].mean(), file.values[:steps].std()
        scaled = (file.values - mean) / (deviation or max(abs(mean) / 100, 1e-6))
        many.append(
            series.Series(
                name=file.name,
                times=np.arange(len(scaled), dtype=np.float64),
                dated=False,
                step_seconds=300.0,
                values=scaled.astype(np.float32)[:, None],
                observed=np.ones((len(scaled), 1), bool),
                labels=None,
                train_end=steps,
                validation_end=steps,
            )
        )
    return series.Collection("nab", "MIT", "", "", "first 15 %", ("value",), 1, tuple(many))


def forecast_residuals(made: series.Collection, config: configs.Config) -> list[np.ndarray]:
    """Trains the forecaster on all train parts; its residuals [time] of each whole series."""
    from apps.anomaly_detection import calibration, data, model, scoring
    from apps.suite.training import fit, optimizer

    fit.seed_everything(config.seed)
    learner = model.build(config, 1, 1)
    learner.compile(optimizer.optimizer(config.training))
    batches = data.batches(made, config).map(lambda values, observed: ((values, observed),))
    learner.fit(batches, steps_per_epoch=config.training.steps, shuffle=False, verbose=0)
    plain = calibration.plain_detector(learner.network, config, 1)
    spans = [scoring.Span(one, 0, len(one)) for one in made.series]
    return [found.residuals[:, 0] for found in scoring.score_spans(plain, spans)]


def alarms(scores: np.ndarray, tolerance: float) -> np.ndarray:
    """1 at the first step of each alarm above the tolerance, 0 elsewhere; float [time]."""
    flags = np.zeros(len(scores))
    found = events.intervals(scores > tolerance, cool_down_steps=COOL_DOWN_STEPS)
    flags[[start for start, _ in found]] = 1
    return flags


def tolerance_of_budget(scores: Sequence[np.ndarray]) -> float:
    """The lowest tolerance within the budget of alarms; it knows no label."""
    scored = [slice(numenta_score.probation_steps(len(each)), None) for each in scores]
    budget = (
        sum(len(each[part]) for each, part in zip(scores, scored, strict=True)) / STEPS_AN_ALARM
    )
    for tolerance in TOLERANCES:
        raised = sum(
            alarms(each, tolerance)[part].sum() for each, part in zip(scores, scored, strict=True)
        )
        if raised <= budget:
            return tolerance
    return TOLERANCES[-1]
