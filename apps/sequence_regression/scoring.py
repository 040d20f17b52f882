"""Answers sequences with a value and an interval, and measures the answers."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from apps.sequence_regression import config as configs
from apps.sequence_regression import targets, trained_model
from apps.suite.evaluation import intervals, regression
from apps.suite.sequence_answers import scorer as scorers
from apps.suite.texts import words

STAGES = ((0.0, 25.0), (25.0, 75.0), (75.0, np.inf))
"""Remaining life from and to, of the stages that are reported apart."""


def answers(trained: trained_model.TrainedModel, outputs: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Computes value, lower and upper (…, targets) of a model's outputs (…, targets, 4).

    Remaining life lies between 0 and the cap; the value lies between lower and upper.
    """
    outputs = tf.convert_to_tensor(outputs)
    value = outputs[..., trained.config.model.answer_column]
    offsets = tf.constant(trained.offsets, tf.float32)
    lower, upper = outputs[..., 1] - offsets, outputs[..., 3] + offsets
    if trained.limits is not None:
        lower, value, upper = (
            tf.clip_by_value(each, *trained.limits) for each in (lower, value, upper)
        )
    return value, tf.minimum(lower, value), tf.maximum(upper, value)


def at_the_end(outputs: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Returns outputs (batch, …) of the last step that counts, of (batch, time, …)."""
    places = tf.range(tf.shape(counted)[1])
    last = tf.reduce_max(tf.where(counted, places, 0), axis=1)
    return tf.gather(outputs, last, batch_dims=1)


def scorer(
    network: keras.Model,
    config: configs.Config,
    vocabulary: words.Vocabulary | None = None,
    every_step: bool = False,
) -> scorers.Scorer:
    """Returns a function from sequences to outputs, float32 [cases, targets, 4].

    A case is a sequence, or a step of one; without `every_step` a sequence of remaining life is
    answered at its last step.
    """
    by_step = every_step or config.target.per == "step"
    finished = at_the_end if config.per_step and not by_step else None
    return scorers.Scorer(network, vocabulary, by_step=by_step, finished=finished)


def answered(trained: trained_model.TrainedModel, part: targets.Part) -> regression.Answers:
    """Returns the answers to the cases of a part."""
    outputs = scorer(trained.model, trained.config, trained.vocabulary)(part.sequences)
    return regression.Answers(*(each.numpy().astype(float) for each in answers(trained, outputs)))


def along(trained: trained_model.TrainedModel, part: targets.Part, index: int) -> regression.Course:
    """Returns the answers along a sequence of a part, for a model with an answer for each step."""
    one = part.sequences.taken([index])
    outputs = scorer(trained.model, trained.config, every_step=True)(one)
    found = regression.Answers(*(each.numpy() for each in answers(trained, outputs)))
    if trained.config.target.remaining:
        truth = part.targets[index] + targets.remaining(one)[:, None]
        truth = targets.capped(truth, trained.config.target)
    else:
        truth = part.targets[part.sequences.rows(index)]
    return regression.Course(one.names[0], found, truth)


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


def measures(
    config: configs.Config,
    found: regression.Answers,
    truths: np.ndarray,
    with_interval: bool = True,
) -> dict[str, float]:
    """Returns the measures of answers; those of remaining life against the capped truth, too."""
    target, wanted = config.target, targets.capped(truths, config.target)
    measured = regression.errors_of(found.value, wanted)
    if with_interval:
        measured |= regression.of_intervals(found, wanted)
    if target.remaining:
        measured["nasa_score"] = nasa_score(found.value - wanted)
        if target.cap:
            measured["rmse_of_true_life"] = regression.errors_of(found.value, truths)["rmse"]
            measured["nasa_score_of_true_life"] = nasa_score(found.value - truths)
    return measured


def by_stage(found: regression.Answers, truths: np.ndarray) -> dict[str, dict[str, float]]:
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
