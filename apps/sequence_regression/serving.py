"""Builds the signatures of the export, which take sequences or texts, and their requests."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.sequence_regression import scoring, trained_model
from apps.suite.sequence_answers import served as served_sequences
from apps.suite.sequences import members
from apps.suite.serving import warmup_requests

_ANSWER = {
    # [b], or [b, time] where every step has a value; one side more for several targets
    "value": "float32[…]",
    "lower": "float32[…]",
    "upper": "float32[…]",
    "target_names": "string[targets]",
}
SIGNATURES, TEXT_SIGNATURES = served_sequences.described(_ANSWER, _ANSWER)
"""See `served.described`; a model of texts has the second ones."""


def served(run: Path) -> served_sequences.ServedSequences:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    return of_model(trained_model.load(run))


def of_model(trained: trained_model.TrainedModel) -> served_sequences.ServedSequences:
    """Builds the signatures over what training left."""
    names, config = tf.constant(list(trained.target_names)), trained.config

    def answer(outputs: tf.Tensor) -> dict[str, tf.Tensor]:
        found = scoring.answers(trained, outputs)
        if len(trained.target_names) == 1:
            found = tuple(each[..., 0] for each in found)
        return {
            **dict(zip(("value", "lower", "upper"), found, strict=True)),
            "target_names": names,
        }

    return served_sequences.ServedSequences(
        trained,
        outputs=scoring.Scorer(trained.model, config, trained.vocabulary).of_batch,
        step_outputs=members.step_outputs(trained.model, "quantiles"),
        answer=answer,
        step_answer=answer,
        settings={
            "target_names": list(trained.target_names),
            "per": config.target.per,
            "remaining": config.target.remaining,
            "coverage": config.intervals.coverage,
            "streams": trained.stream is not None,
            "data_format": dataclasses.asdict(config.data_format),
        },
    )


def requests(trained: trained_model.TrainedModel) -> list[warmup_requests.Request]:
    """Returns requests of one and of several sequences or texts, with the answers of Keras."""

    def answers(outputs: np.ndarray) -> dict[str, np.ndarray]:
        return _answers(trained, outputs)

    def by_row(values: np.ndarray) -> np.ndarray:
        """Asks Keras row by row, without padding."""
        rows = []
        for row in values:
            steps = int(np.isfinite(row).any(axis=1).sum())
            by_step = trained.config.target.per == "step"  # padding has answers too, then
            found = trained.model(row[None] if by_step else row[None, :steps], training=False)
            rows.append(found.numpy()[:, -1] if trained.config.target.remaining else found.numpy())
        return np.concatenate(rows)

    return served_sequences.Requests(
        trained,
        answers=answers,
        step_answers=answers,
        step_outputs=members.step_outputs(trained.model, "quantiles"),
        outputs=by_row,
    ).all()


def _answers(trained: trained_model.TrainedModel, outputs: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the answers to outputs (…, targets, 4), computed in NumPy."""
    value = outputs[..., 0 if trained.config.model.answer == "mean" else 2]
    offsets = np.array(trained.offsets, np.float32)
    found = [outputs[..., 1] - offsets, value, outputs[..., 3] + offsets]
    if trained.limits is not None:
        found = [np.clip(each, *trained.limits) for each in found]
    lower, value, upper = found
    if len(trained.target_names) == 1:
        lower, value, upper = (each[..., 0] for each in (lower, value, upper))
    names = np.array([name.encode() for name in trained.target_names], object)
    return {
        "value": value,
        "lower": np.minimum(lower, value),
        "upper": np.maximum(upper, value),
        "target_names": names,
    }
