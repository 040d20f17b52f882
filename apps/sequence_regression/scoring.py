"""Answers sequences with a value and an interval, and measures the answers."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.sequence_regression import config as configs
from apps.sequence_regression import data, targets, trained_model
from apps.suite.evaluation import intervals
from apps.suite.sequences import batches
from apps.suite.texts import words

STAGES = ((0.0, 25.0), (25.0, 75.0), (75.0, np.inf))
"""Remaining life from and to, of the stages that are reported apart."""


class Answers(NamedTuple):
    """Answers to cases: sequences, or steps; float [cases, targets] each."""

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


def answers(trained: trained_model.TrainedModel, outputs: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Computes value, lower and upper (…, targets) of a model's outputs (…, targets, 4).

    Remaining life lies between 0 and the cap; the value lies between lower and upper.
    """
    outputs = tf.convert_to_tensor(outputs)
    value = outputs[..., 0] if trained.config.model.answer == "mean" else outputs[..., 2]
    offsets = tf.constant(trained.offsets, tf.float32)
    lower, upper = outputs[..., 1] - offsets, outputs[..., 3] + offsets
    if trained.limits is not None:
        lower, value, upper = (
            tf.clip_by_value(each, *trained.limits) for each in (lower, value, upper)
        )
    return value, tf.minimum(lower, value), tf.maximum(upper, value)


def at_the_end(outputs: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Returns the outputs (batch, …) of the last step that has a value, of (batch, time, …)."""
    counted = tf.reduce_any(tf.math.is_finite(values), axis=-1)
    places = tf.range(tf.shape(counted)[1])
    last = tf.reduce_max(tf.where(counted, places, 0), axis=1)
    return tf.gather(outputs, last, batch_dims=1)


class Scorer:
    """Asks a network for its outputs with the weights that it has at the time.

    Args:
        network: what `model.build` returned.
        config: of its run.
        vocabulary: of texts.
        every_step: false answers a sequence of remaining life at its last step.
    """

    def __init__(
        self,
        network: keras.Model,
        config: configs.Config,
        vocabulary: words.Vocabulary | None = None,
        every_step: bool = False,
    ) -> None:
        self._network, self._vocabulary = network, vocabulary
        self._by_step = every_step or config.target.per == "step"
        self._at_the_end = config.per_step and not self._by_step
        self._ask = batches.asker(network, vocabulary, self.of_batch, by_step=self._by_step)

    def of_batch(self, given: tf.Tensor) -> tf.Tensor:
        """Computes outputs float32 (b, targets, 4) or (b, time, targets, 4) of values or texts."""
        if not self._by_step:
            given = data.preprocess(given, self._vocabulary)
        outputs = self._network(given, training=False)
        return at_the_end(outputs, given) if self._at_the_end else outputs

    def __call__(self, part: targets.Part) -> np.ndarray:
        """Returns float32 [cases, targets, 4]: a case is a sequence, or a step of one."""
        return self._ask(part.sequences)


def answered(trained: trained_model.TrainedModel, part: targets.Part) -> Answers:
    """Returns the answers to the cases of a part."""
    outputs = Scorer(trained.model, trained.config, trained.vocabulary)(part)
    return Answers(*(each.numpy().astype(float) for each in answers(trained, outputs)))


def offsets(config: configs.Config, outputs: np.ndarray, part: targets.Part) -> tuple[float, ...]:
    """Returns how far each target's interval moves outwards, by the validation part."""
    count = outputs.shape[1]
    if config.intervals.method == "quantiles":
        return (0.0,) * count
    truths = targets.capped(part.targets, config.target)
    return tuple(
        intervals.conformal_offset(
            outputs[:, at, 1], outputs[:, at, 3], truths[:, at], config.intervals.coverage
        )
        for at in range(count)
    )


def nasa_score(errors: np.ndarray) -> float:
    """Returns NASA's score of remaining lives, the sum over machines (Saxena et al. 2008).

        s = Σ_i exp(-e_i / 13) - 1   for e_i < 0, answered too early
            Σ_i exp( e_i / 10) - 1   else, answered too late

    Args:
        errors: e, answer less truth, in cycles.
    """
    with np.errstate(over="ignore"):
        return float(np.sum(np.expm1(np.where(errors < 0, -errors / 13, errors / 10))))


def errors_of(values: np.ndarray, truths: np.ndarray) -> dict[str, float]:
    """Returns RMSE, MAE and R² over the known truths, [cases, targets] both.

    Several targets are pooled for RMSE and MAE; R² is the mean over the targets.
    """
    known = np.isfinite(truths)
    apart = np.where(known, values - np.where(known, truths, 0.0), 0.0)
    count = known.sum()
    mean = np.nanmean(truths, axis=0)
    spread = np.nansum((truths - mean) ** 2, axis=0)
    r2 = 1 - (apart**2).sum(axis=0) / np.maximum(spread, 1e-12)
    return {
        "rmse": float(np.sqrt((apart**2).sum() / count)),
        "mae": float(np.abs(apart).sum() / count),
        "r2": float(r2.mean()),
    }


def judged(config: configs.Config, truths: np.ndarray) -> np.ndarray:
    """Returns the truths that answers are judged by: remaining life with its cap."""
    return targets.capped(truths, config.target)


def measures(
    config: configs.Config, found: Answers, truths: np.ndarray, with_interval: bool = True
) -> dict[str, float]:
    """Returns the measures of answers; those of remaining life against the capped truth, too."""
    target, wanted = config.target, judged(config, truths)
    measured = errors_of(found.value, wanted)
    if with_interval:
        measured["coverage"] = intervals.coverage(found.lower, found.upper, wanted)
        measured["interval_width"] = float(np.mean(found.upper - found.lower))
    if target.remaining:
        measured["nasa_score"] = nasa_score(found.value - wanted)
        if target.cap:
            measured["rmse_of_true_life"] = errors_of(found.value, truths)["rmse"]
            measured["nasa_score_of_true_life"] = nasa_score(found.value - truths)
    return measured


def by_stage(found: Answers, truths: np.ndarray) -> dict[str, dict[str, float]]:
    """Returns RMSE and mean error by stage of a remaining life; stages without a case are out."""
    stages = {}
    for low, high in STAGES:
        chosen = (truths[:, 0] >= low) & (truths[:, 0] < high)
        if chosen.any():
            apart = found.value[chosen, 0] - truths[chosen, 0]
            name = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and more"
            stages[name] = {
                "cases": float(chosen.sum()),
                "rmse": float(np.sqrt(np.mean(apart**2))),
                "mean_error": float(apart.mean()),
            }
    return stages


def case_units(part: targets.Part, per_step: bool) -> np.ndarray:
    """Returns the unit of each case, int [cases]."""
    return np.repeat(part.units, part.sequences.lengths) if per_step else part.units


def rmse_interval(
    values: np.ndarray, truths: np.ndarray, units: np.ndarray, seed: int
) -> intervals.Interval:
    """Returns the 95 % interval of the RMSE over draws of units."""
    count = int(units.max()) + 1
    known = np.isfinite(truths)
    squares = np.where(known, (values - np.where(known, truths, 0.0)) ** 2, 0.0).sum(axis=1)
    sums = intervals.sums_by_unit(squares, units, count)
    counts = intervals.sums_by_unit(known.sum(axis=1), units, count)
    return intervals.bootstrap(
        lambda chosen: float(np.sqrt(sums[chosen].sum() / max(counts[chosen].sum(), 1))),
        count,
        seed,
    )
